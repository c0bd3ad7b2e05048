# SPDX-License-Identifier: Apache-2.0
"""The chains of AAPL of June 2014, across its split of 7 for 1, through the files source."""

from __future__ import annotations

from math import log, sqrt
from statistics import NormalDist

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

    from ttapi.home import Home

    folder = tmp_path_factory.mktemp("apple")
    shutil.copytree(template_home.root, folder / "home", symlinks=True)
    lab = lab_type(Home(folder / "home"), folder)
    lab.environ = {
        "TTAPI_FILES_OPTION_QUOTES_PATH": str(real_data / "chains"),
        "TTAPI_FILES_CORPORATE_ACTIONS_PATH": str(real_data / "corporate_actions"),
        "TTAPI_METASTOCK_PATH": str(real_data / "metastock"),
        "TTAPI_RATES_CONSTANT": "0.001",
    }
    done = lab.refresh(
        "chain", "iv_history", "move_calibration", "variance_risk_premium", "volatility"
    )
    assert done.exit_code == 0
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


def test_moves_are_measured_across_the_split(apple):
    ((forward, volatility, years, move, z, pit),) = apple.rows(
        """
        select e.forward, o.implied_volatility, e.years, o.log_move, o.z, o.pit
        from move_outcomes as o
        join derived.expiration_implied as e
            on e.underlying = o.underlying and e.date = o.date and e.expiration_date = o.expiration_date
        where o.date = '2014-06-02' and o.expiration_date = '2014-06-13'
        """
    )
    (close,) = apple.rows("select close from eod where symbol = 'AAPL' and date = '2014-06-13'")[0]
    sigma = volatility * sqrt(years)
    assert move == pytest.approx(log(7 * close / forward), abs=1e-12)
    assert z == pytest.approx((move + sigma**2 / 2) / sigma)
    assert pit == pytest.approx(NormalDist().cdf(z))


def test_the_premium_stands_beside_the_sessions_before_and_after(apple):
    rows = apple.rows(
        """
        select p.iv30, p.rv21_trailing, b.close_to_close, p.rv21_following, a.close_to_close, p.ex_ante_variance
        from variance_risk_premium as p
        join calendar as c on c.market = 'XNYS' and c.date = p.date
        join calendar as n on n.market = 'XNYS' and n.is_trading_day and n.session_no = c.session_no + 21
        join volatility as b on b.symbol = p.underlying and b.date = p.date and b.lookback = 21
        join volatility as a on a.symbol = p.underlying and a.date = n.date and a.lookback = 21
        """
    )
    assert len(rows) == 5
    for iv30, before, own_before, after, own_after, variance in rows:
        assert (before, after) == (pytest.approx(own_before), pytest.approx(own_after))
        assert variance == pytest.approx(iv30**2 - before**2)
