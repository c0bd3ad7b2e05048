# SPDX-License-Identifier: Apache-2.0
"""What docs/daemon.md has a timer run: the lines are understood by those who read them, the command does it."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from vendor_settings import patient_settings_of

from ttapi.config import load_settings
from ttapi.home import Home
from ttapi.market.calendar import NEW_YORK, sessions
from ttapi.simulator.server import VendorServer
from ttapi.simulator.vendor_market import VendorMarket

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "daemon.md").read_text()
COMMANDS = set(re.findall(r"ttapi (refresh .*)", PAGE))


def test_settings_shown_can_be_set(tmp_path):
    (block,) = re.findall(r"\n\n((?:    .*\n)+)\nWhen something is due", PAGE)
    (tmp_path / "ttapi.toml").write_text(re.sub("(?m)^    ", "", block))
    assert tomllib.loads((tmp_path / "ttapi.toml").read_text())
    found = load_settings(Home(tmp_path), {})
    assert (found.serve_keep_fresh, found.serve_max_calls) == (("all",), 2000)
    assert found.serve_closing_chains == ("SPY", "SPX")


def cron_times():
    """The minutes and hours of the lines for cron, which are those of the timer."""
    (block,) = re.findall(r"```cron\n(.*?)```", PAGE, re.DOTALL)
    zone, *lines = block.splitlines()
    assert zone == "CRON_TZ=America/New_York"
    found = set()
    for line in lines:
        minute, hours, day, month, weekdays, command = line.split(None, 5)
        assert (day, month, weekdays) == ("*", "*", "1-5")
        assert command.removeprefix("ttapi ") in COMMANDS
        found |= {(int(hour), int(minute)) for hour in hours.split(",")}
    return found


def test_the_times_are_those_at_which_options_can_close():
    closes = set()
    for market in ("XNYS", "CBOE_IDX"):
        days = [day for day in sessions(market).dates if 2020 <= day.year <= 2030]
        closes |= {sessions(market).close_utc(day).astimezone(NEW_YORK).time() for day in days}
    before = {divmod(at.hour * 60 + at.minute - 5, 60) for at in closes}
    assert cron_times() == before == {(12, 55), (13, 10), (15, 55), (16, 10)}
    timers = re.findall(r"OnCalendar=Mon\.\.Fri (\S+):(\d+) America/New_York", PAGE)
    hours = {(int(hour), int(minute)) for hours, minute in timers for hour in hours.split(",")}
    assert hours == before


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_systemd_understands_the_timer():
    for expression in re.findall(r"OnCalendar=(.*)", PAGE):
        subprocess.run(["systemd-analyze", "calendar", expression], check=True, capture_output=True)


def test_the_command_takes_what_closes_soon_and_nothing_else(lab):
    """On the day before Independence Day, which ends at 13:00 in New York; SPX options end at 13:15."""
    (command,) = COMMANDS
    morning = datetime(2024, 7, 3, 14, tzinfo=UTC)
    with VendorServer(VendorMarket(7, morning, symbols=30), vendors=["tastytrade"]) as server:
        lab.environ |= patient_settings_of(server)
        told = {}
        for at in ("16:54:59", "16:55:00", "17:00:00"):
            done = lab.ttapi(*shlex.split(command), TTAPI_NOW=f"2024-07-03T{at}Z")
            assert (done.returncode, done.stdout) == (0, ""), done.stderr
            told[at] = done.stderr.splitlines()[0]
    nothing = "no options close within 5m: nothing was asked"
    assert (told["16:54:59"], told["17:00:00"]) == (nothing, nothing)
    taken = lab.rows(
        "select symbol, strftime(snapshot_at, '%H:%M'), count(*) > 100"
        " from raw.tastytrade_option_quotes group by 1, 2 order by 2"
    )
    assert taken == [("SPY", "16:55", True)]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--before-close", "5m"), "--before-close is about symbols"),
        (("--symbols", "SPY", "--before-close", "soon"), "--before-close 'soon' is no duration"),
    ],
)
def test_a_wrong_time_before_the_close_is_told(lab, arguments, told):
    done = lab.ttapi("refresh", "calendar", *arguments)
    assert done.returncode == 2
    assert told in done.stderr
