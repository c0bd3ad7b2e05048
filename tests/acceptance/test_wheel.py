# SPDX-License-Identifier: Apache-2.0
"""The built wheel, installed where nothing else of the checkout can be seen."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from email import message_from_bytes
from importlib.metadata import distribution
from pathlib import Path

import pytest
from outside import ROOT, plain_environ, run
from packaging.requirements import Requirement

pytestmark = pytest.mark.compat

BUILD = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
SOURCES = ["calendar", "dxlink", "files", "metastock", "rates", "tastytrade"]


@dataclass(frozen=True)
class Installed:
    """A wheel and the environment it was installed into."""

    wheel: Path
    environment: Path

    def ttapi(self, *arguments, folder):
        """What the installed command says, run in `folder` with its home below it."""
        return subprocess.run(
            [self.environment / "bin" / "ttapi", *arguments],
            cwd=folder,
            env=plain_environ(
                TTAPI_HOME=folder / "home",
                TTAPI_METASTOCK_PATH=folder / "bars",
                TTAPI_NOW="2024-06-14T22:00:00Z",
            ),
            capture_output=True,
            text=True,
            check=False,
        )

    def python(self, program):
        """What a program prints in that environment, run outside the checkout."""
        return run(self.environment / "bin" / "python", "-P", "-c", program)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel in a new environment with what it depends on, lent by this one: no extra, no tool."""
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-P", "-c", BUILD, str(folder)],
        cwd=ROOT, env=plain_environ(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    wheel = folder / done.stdout.split()[-1]
    environment = folder / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", environment)
    python = environment / "bin" / "python"
    run(
        sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index",
        wheel,
    )  # fmt: skip
    site = run(python, "-P", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    _lend_dependencies(folder / "lent", Path(site.strip()), wheel)
    return Installed(wheel, environment)


def _lend_dependencies(lent, site, wheel):
    """Make what the wheel asks for importable there, and what that asks for, and nothing else."""
    lent.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        [name] = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        metadata = message_from_bytes(archive.read(name))
    for needed in _closure(metadata.get_all("Requires-Dist")):
        for file in distribution(needed).files:
            place = lent / file.parts[0]
            if ".." not in file.parts and not place.is_symlink():
                place.symlink_to(distribution(needed).locate_file(file.parts[0]))
    (site / "lent.pth").write_text(f"{lent}\n")


def _closure(lines):
    """The names of all that these requirements bring here."""
    brought, waiting = set(), [(line, frozenset()) for line in lines]
    while waiting:
        line, extras = waiting.pop()
        asked = Requirement(line)
        key = (asked.name, frozenset(asked.extras))
        if key not in brought and (
            asked.marker is None
            or any(asked.marker.evaluate({"extra": extra}) for extra in {"", *extras})
        ):
            brought.add(key)
            more = distribution(asked.name).metadata.get_all("Requires-Dist", [])
            waiting += [(one, key[1]) for one in more]
    return sorted({name for name, _ in brought})


def test_the_wheel_holds_sql_migrations_and_market_data(installed):
    with zipfile.ZipFile(installed.wheel) as archive:
        names = set(archive.namelist())
    for bundled in ("sql", "migrations"):
        shipped = {f.relative_to(ROOT / bundled) for f in (ROOT / bundled).iterdir() if f.is_file()}
        shipped |= {f.relative_to(ROOT / bundled) for f in (ROOT / bundled).rglob("*.sql")}
        assert {f"ttapi/_bundled/{bundled}/{name}" for name in shipped} == {
            name for name in names if name.startswith(f"ttapi/_bundled/{bundled}/")
        }
    package = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "ttapi").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert package == {
        name for name in names if name.startswith("ttapi/") and "/_bundled/" not in name
    }
    assert {"ttapi/py.typed", "ttapi/market/data/closures.csv"} <= names


def test_the_wheel_is_what_the_new_environment_imports(installed):
    place = installed.python("import ttapi; print(ttapi.__file__)")
    assert Path(place.strip()).is_relative_to(installed.environment)


def test_the_wheel_declares_its_command_and_its_sources(installed):
    listing = (
        "import json; from importlib.metadata import distribution as d;"
        "print(json.dumps([[e.group, e.name] for e in d('ttapi-db').entry_points]))"
    )
    assert sorted(json.loads(installed.python(listing))) == [
        ["console_scripts", "ttapi"],
        *(["ttapi.sources", name] for name in SOURCES),
    ]


def test_the_installed_wheel_makes_a_home_and_answers_a_query(installed, tmp_path):
    (tmp_path / "bars").mkdir()
    (tmp_path / "bars" / "ABC.csv").write_text(
        "<TICKER>,<PER>,<DTYYYYMMDD>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
        "ABC,D,20240613,000000,10,12,9,11,100,0\n"
        "ABC,D,20240614,000000,11,13,10,12.5,200,0\n"
    )
    done = installed.ttapi("init", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    query = "select symbol, date, close from eod order by date"
    done = installed.ttapi("sql", "--format", "json", "-c", query, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        {"symbol": "ABC", "date": "2024-06-13", "close": 11.0},
        {"symbol": "ABC", "date": "2024-06-14", "close": 12.5},
    ]
    done = installed.ttapi("sources", "--json", folder=tmp_path)
    assert sorted({row["name"] for row in json.loads(done.stdout)}) == SOURCES


@pytest.mark.parametrize("command", ["simulate", "demo"])
def test_what_needs_the_simulators_says_in_one_line_what_installs_them(
    installed, tmp_path, command
):
    absent = "from importlib.util import find_spec; print(find_spec('aiohttp'))"
    assert installed.python(absent) == "None\n"
    done = installed.ttapi("--home", "demo", command, folder=tmp_path)
    python = installed.environment / "bin" / "python"
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"ttapi: ttapi {command} needs the extra [simulate]:"
        f" uv pip install --python {python} 'aiohttp<4,>=3.12'\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_faults_are_listed_and_sources_are_checked_without_the_simulators(installed, tmp_path):
    done = installed.ttapi("simulate", "--faults", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    (tmp_path / "bars").mkdir()
    assert installed.ttapi("init", folder=tmp_path).returncode == 0
    done = installed.ttapi("sources", "--validate", "metastock", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "metastock: keeps the contract\n")


def test_a_picture_without_its_extra_says_what_installs_it(installed):
    program = (
        "from pathlib import Path; from ttapi.cli.cone import write_png\n"
        "try: write_png('term', 'SPY', [], Path('x.png'))\n"
        "except Exception as exc: print(exc.exit_code, exc)"
    )
    python = installed.environment / "bin" / "python"
    assert installed.python(program) == (
        f"2 a PNG needs the extra [viz]: uv pip install --python {python}"
        " 'vl-convert-python<2,>=1.7'\n"
    )
