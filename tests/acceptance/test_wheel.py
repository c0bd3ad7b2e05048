# SPDX-License-Identifier: Apache-2.0
"""The built wheel, installed where nothing else of the checkout can be seen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from outside import ROOT, plain_environ, run

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
    """The wheel alone in a new environment; its dependencies are those of this one, without ttapi."""
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
    _lend_dependencies(folder / "lent", Path(site.strip()))
    return Installed(wheel, environment)


def _lend_dependencies(lent, site):
    """Make everything installed here importable there, but for ttapi itself and what leads to it."""
    lent.mkdir()
    for kind in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in os.scandir(kind):
            if "ttapi" not in entry.name and not entry.name.endswith(".pth"):
                (lent / entry.name).symlink_to(entry.path)
    (site / "lent.pth").write_text(f"{lent}\n")


def test_the_wheel_holds_sql_migrations_and_market_data(installed):
    with zipfile.ZipFile(installed.wheel) as archive:
        names = set(archive.namelist())
    for bundled in ("sql", "migrations"):
        shipped = {f.relative_to(ROOT / bundled) for f in (ROOT / bundled).rglob("*.sql")}
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
        "print(json.dumps([[e.group, e.name] for e in d('ttapi').entry_points]))"
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
