# SPDX-License-Identifier: Apache-2.0
"""The chains of AAPL of June 2014, across its split of 7 for 1, through the files source."""

from __future__ import annotations

import pytest

OTM = """
    select
        i.date,
        i.mid > 0 as is_quoted,
        i.implied_volatility is not null as has_volatility,
        i.iv_reason,
        abs(i.implied_volatility - i.vendor_implied_volatility) as difference
    from derived.option_implied as i
    where i.underlying = 'AAPL' and (i.option_type = 'C') = (i.log_moneyness >= 0)
"""


@pytest.fixture(scope="module")
def apple(template_home, lab_type, real_data, tmp_path_factory):
    """Six days of chains, computed with the bills' rate of that month."""
    import shutil

    from ttapi.config import Home

    folder = tmp_path_factory.mktemp("apple")
    shutil.copytree(template_home.root, folder / "home", symlinks=True)
    lab = lab_type(Home(folder / "home"), folder)
    lab.environ = {
        "TTAPI_FILES_OPTION_QUOTES_PATH": str(real_data / "chains"),
        "TTAPI_RATES_CONSTANT": "0.001",
    }
    assert lab.refresh("chain", "iv_history").exit_code == 0
    return lab


def test_nearly_every_quoted_contract_out_of_the_money_has_a_volatility(apple):
    rows = apple.rows(
        f"select date::varchar, count(*) filter (is_quoted), avg(has_volatility::int) filter (is_quoted)"
        f" from ({OTM}) where date < '2014-06-06' group by 1 order by 1"
    )
    assert [count for _, count, _ in rows] == [1073, 1073, 1073, 1161]
    assert min(share for *_, share in rows) > 0.95


def test_what_has_none_says_why_and_the_old_strikes_are_out_of_line(apple):
    reasons = dict(
        apple.rows(
            f"select coalesce(iv_reason, 'solved'), count(*) from ({OTM}) where date = '2014-06-09' group by 1"
        )
    )
    assert set(reasons) == {"solved", "out of line"}
    assert reasons["solved"] > 1_000
    # On the Friday before, the file holds the new strikes and not one quote.
    assert apple.rows(f"select distinct iv_reason from ({OTM}) where date = '2014-06-06'") == [
        ("no quote",)
    ]
    assert apple.rows(
        "select count(*) from derived.option_implied where implied_volatility > 3"
    ) == [(0,)]


def test_volatility_at_the_money_goes_on_across_the_split(apple):
    rows = apple.rows(
        "select date::varchar, iv30 from iv_history where underlying = 'AAPL' order by 1"
    )
    assert [day for day, _ in rows] == [
        "2014-06-02",
        "2014-06-03",
        "2014-06-04",
        "2014-06-05",
        "2014-06-09",
    ]
    assert all(0.19 < volatility < 0.24 for _, volatility in rows)


def test_saturdays_stand_for_the_session_before(apple):
    rows = apple.rows(
        "select distinct contract_expiration_date::varchar, expiration_date::varchar, kind from chain"
        " where underlying = 'AAPL' and isodow(contract_expiration_date) = 6 order by 1 limit 2"
    )
    assert rows == [
        ("2014-06-21", "2014-06-20", "monthly"),
        ("2014-07-19", "2014-07-18", "monthly"),
    ]


def test_the_published_column_is_another_opinion_and_kept(apple):
    ((rows, difference),) = apple.rows(
        f"select count(difference), median(difference) from ({OTM}) where date < '2014-06-06'"
    )
    assert rows > 2_000
    # It says 110 percent of options at the money whose price says 25.
    assert 0.5 < difference < 1.0
