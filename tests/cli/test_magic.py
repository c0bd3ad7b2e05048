# SPDX-License-Identifier: Apache-2.0
"""`%load_ext ttapi`: SQL in IPython, and what a notebook shows of an answer."""

from __future__ import annotations

import io
import sys

import pytest

from ttapi.cli.magic import MagicLine, read_line
from ttapi.errors import UsageError


@pytest.fixture
def shell(lab, monkeypatch):
    """An IPython with the extension loaded, on a home with two bars."""
    from IPython.testing.globalipapp import start_ipython

    lab.write_bars(
        "AAA.csv",
        ["AAA,D,20240612,000000,10,11,9,10,1000,0", "AAA,D,20240613,000000,10,11,9,10.5,1000,0"],
    )
    monkeypatch.setenv("TTAPI_HOME", str(lab.home.root))
    monkeypatch.setenv("TTAPI_NOW", lab.now.isoformat())
    for name, value in lab.environ.items():
        monkeypatch.setenv(name, value)
    start_ipython()
    from IPython import get_ipython

    one = get_ipython()
    one.run_line_magic("load_ext", "ttapi")
    yield one
    one.magics_manager.magics["line"]["ttapi"].__self__.close()
    one.run_line_magic("unload_ext", "ttapi")


def test_options_stand_before_the_sql():
    assert read_line("--out bars --max-age 1d select 1") == MagicLine(
        "select 1", "bars", max_age="1d"
    )
    assert read_line("--no-refresh") == MagicLine("", refresh=False)
    assert read_line("-- a comment") == MagicLine("-- a comment")


@pytest.mark.parametrize("line", ["--foo select 1", "--out", "--out 1x select 1"])
def test_a_wrong_option_is_refused_with_the_usage(line):
    with pytest.raises(UsageError) as refused:
        read_line(line)
    assert "%%ttapi" in refused.value.hint


def test_a_cell_is_made_fresh_and_its_answer_shows_and_draws_itself(shell):
    answer = shell.run_cell_magic("ttapi", "", "select date, close\nfrom eod order by date")
    assert answer.arrow().column("close").to_pylist() == [10.0, 10.5]
    assert '<td style="text-align: right">10.5</td>' in answer._repr_html_()
    assert "close by date" in answer.chart("line", "date", "close")
    printed = io.StringIO()
    from IPython.lib.pretty import RepresentationPrinter

    answer._repr_pretty_(RepresentationPrinter(printed), False)
    assert printed.getvalue().splitlines()[-1] == "2 rows"


def test_instants_are_shown_in_the_zone_of_the_settings(lab):
    from IPython.lib.pretty import RepresentationPrinter

    from ttapi.api import Database

    lab.home.settings_file.write_text("[display]\ntimezone = 'Asia/Tokyo'\n")
    with Database(lab.home, environ={"TTAPI_NOW": lab.now.isoformat()}) as database:
        answer = database.sql(
            "select close_utc as at, date_trunc('month', close_utc) as month"
            " from calendar where market = 'XNYS' and date = '2024-06-14'"
        )
    assert "<td>2024-06-15 05:00:00</td><td>2024-06-01 00:00:00</td>" in answer._repr_html_()
    assert "(Asia/Tokyo)" in answer._repr_html_()
    printed = io.StringIO()
    answer._repr_pretty_(RepresentationPrinter(printed), False)
    assert "2024-06-15 05:00:00" in printed.getvalue()


def test_an_answer_goes_into_a_variable(shell):
    assert shell.run_line_magic("ttapi", "--out kept select 1 as one") is None
    assert shell.user_ns["kept"].arrow().to_pylist() == [{"one": 1}]
    assert (
        shell.run_line_magic("ttapi", "create temp table t as select 1 as a")._repr_html_()
        == "<p>create: no rows</p>"
    )


def test_a_long_answer_says_how_much_is_shown(shell):
    answer = shell.run_line_magic("ttapi", "select * from range(500)")
    assert "<caption>50 of 500 rows shown</caption>" in answer._repr_html_()
    assert answer._repr_html_().count("<tr>") == 51


def test_an_error_is_one_message_without_a_traceback(shell, capsys):
    done = shell.run_cell("%ttapi select * from nothing_there")
    captured = capsys.readouterr()
    assert done.success is False
    assert "Table with name nothing_there does not exist" in captured.err + captured.out
    assert "Traceback" not in captured.err + captured.out


def test_importing_ttapi_loads_no_ipython():
    import subprocess

    code = "import sys, ttapi; print(sorted({'IPython', 'duckdb', 'prompt_toolkit'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_variable_of_the_notebook_is_bound_by_its_name(shell):
    shell.user_ns["sym"] = "AAA"
    shell.user_ns["day"] = "2024-06-13"
    answer = shell.run_cell_magic(
        "ttapi",
        "",
        "select close, '$none' as t from eod where symbol = $sym and date >= $day::date",
    )
    assert answer.pl().rows() == [(10.5, "$none")]
    from IPython.core.error import UsageError as ShownError

    with pytest.raises(ShownError, match="the notebook has no variable nobody"):
        shell.run_cell_magic("ttapi", "", "select $nobody")


def test_a_frame_of_the_notebook_is_joined_by_its_name(shell):
    import polars as pl

    shell.user_ns["weights"] = pl.DataFrame({"symbol": ["AAA"], "weight": [2.0]})
    answer = shell.run_cell_magic(
        "ttapi", "", "select max(weight * close) from weights join eod using (symbol)"
    )
    assert answer.pl().rows() == [(21.0,)]


def test_every_answer_of_a_cell_is_shown(shell, capsys):
    last = shell.run_cell_magic(
        "ttapi", "", "select 1 as first; create temp table t as select 5; select 2 as second"
    )
    assert last.pl().columns == ["second"]
    shown = capsys.readouterr().out
    assert "first" in shown and "second" not in shown
