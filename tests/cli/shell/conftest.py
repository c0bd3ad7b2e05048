# SPDX-License-Identifier: Apache-2.0
"""Sessions on a home with three bars of each of two symbols."""

from __future__ import annotations

from contextlib import closing

import pytest

from ttapi.cli.shell.options import DisplayOptions
from ttapi.cli.shell.session import Session, SessionOptions

BARS = [
    "{},D,20240611,000000,10,11,9,10,1000,0",
    "{},D,20240612,000000,10,11,9,10.5,1000,0",
    "{},D,20240613,000000,10,11,9,10.2,1000,0",
]


@pytest.fixture(scope="session")
def loaded_home(template_home, tmp_path_factory, lab_type):
    """The home; copied, never changed."""
    import shutil

    from ttapi.home import Home

    root = tmp_path_factory.mktemp("shell")
    shutil.copytree(template_home.root, root / "home", symlinks=True)
    (root / "data" / "metastock").mkdir(parents=True)
    environ = {"TTAPI_METASTOCK_PATH": str(root / "data" / "metastock")}
    lab = lab_type(Home(root / "home"), root / "data", environ)
    for symbol in ("AAA", "BBB"):
        lab.write_bars(f"{symbol}.csv", [bar.format(symbol) for bar in BARS])
    lab.refresh()
    return lab


@pytest.fixture
def loaded(loaded_home, tmp_path, lab_type):
    """A copy of the home, of the test's own."""
    import shutil

    from ttapi.home import Home

    shutil.copytree(loaded_home.home.root, tmp_path / "home", symlinks=True)
    return lab_type(Home(tmp_path / "home"), loaded_home.data, dict(loaded_home.environ))


@pytest.fixture
def environ(loaded):
    return {**loaded.environ, "TTAPI_NOW": loaded.now.isoformat()}


@pytest.fixture
def session(loaded, environ):
    """A session whose answers are plain tables, as somebody types in it."""
    manners = SessionOptions(is_interactive=True, environ=environ)
    with closing(
        Session(loaded.home, DisplayOptions(format="table", has_timer=False), manners)
    ) as one:
        yield one


@pytest.fixture
def said(session, capsys):
    """Runs text; what came on standard output, and what was said on standard error but for ages."""

    def run(text):
        session.run_script(text)
        captured = capsys.readouterr()
        talk = [line for line in captured.err.splitlines() if not line.startswith("-- ")]
        return captured.out, "\n".join(talk)

    return run
