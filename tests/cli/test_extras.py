# SPDX-License-Identifier: Apache-2.0
"""What an installation brings, and what it says of what it does not."""

from __future__ import annotations

import ast
import shlex
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ttapi.config import DISTRIBUTION, extra_requirements, install_command, require_extra
from ttapi.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SIMULATOR = ROOT / "ttapi" / "simulator"
SERVER = ROOT / "ttapi" / "server"
OF_FASTAPI = {"pydantic", "starlette"}
"""What FastAPI is made of, and hands out."""
OF_EXTRAS = {"aiohttp", "ipython", "vl-convert-python"}


def names(lines):
    return {canonicalize_name(Requirement(line).name) for line in lines}


def imported(files):
    """The distributions whose modules these files import, wherever in them."""
    modules = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules.add(node.module.split(".")[0])
    homes = packages_distributions()
    outside = modules - set(sys.stdlib_module_names) - {"ttapi"}
    return {canonicalize_name(home) for module in outside for home in homes.get(module, [module])}


def test_the_distribution_is_the_one_that_pyproject_names():
    assert PROJECT["name"] == DISTRIBUTION


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    apart = {SIMULATOR, SERVER}
    rest = [file for file in (ROOT / "ttapi").rglob("*.py") if not apart & {*file.parents}]
    of_server = OF_FASTAPI | names(PROJECT["optional-dependencies"]["server"])
    # Zones where the system has none: read by the standard library, never imported.
    declared = names(PROJECT["dependencies"]) - {"tzdata"}
    assert imported(rest) - OF_EXTRAS - of_server == declared


def test_the_simulators_need_their_extra_and_nothing_else_that_is_not_there_anyway():
    needed = imported(SIMULATOR.rglob("*.py")) - names(PROJECT["dependencies"])
    assert needed == names(PROJECT["optional-dependencies"]["simulate"]) == {"aiohttp"}


def test_the_daemon_imports_nothing_that_its_extra_does_not_bring():
    needed = imported(SERVER.rglob("*.py")) - names(PROJECT["dependencies"])
    # uvicorn is told these two by name.
    assert (needed - OF_FASTAPI) | {"httptools", "uvloop"} == names(
        PROJECT["optional-dependencies"]["server"]
    )


@pytest.mark.parametrize("extra", ["notebook", "simulate", "viz"])
def test_an_extra_is_told_as_the_packages_it_brings(extra):
    wanted = PROJECT["optional-dependencies"][extra]
    told = [Requirement(line) for line in extra_requirements(extra)]
    assert told == [Requirement(line) for line in wanted]


def test_an_extra_that_is_there_is_passed_over():
    require_extra("simulate", "aiohttp", "ttapi simulate")


def test_an_extra_that_is_missing_is_told_with_a_command_for_this_interpreter():
    with pytest.raises(UsageError) as missing:
        require_extra("viz", "no_such_module_of_viz", "a PNG")
    assert missing.value.exit_code == 2
    assert str(missing.value) == (
        f"a PNG needs the extra [viz]: {sys.executable} -m pip install 'vl-convert-python<2,>=1.7'"
    )


def test_an_unknown_extra_is_told_by_its_module():
    with pytest.raises(UsageError, match=r"pip install no_such_module$"):
        require_extra("nothing", "no_such_module", "it")


def test_a_command_to_install_survives_a_shell():
    words = shlex.split(install_command("duckdb>=1.5.5,<3", "a b"))
    assert words == [sys.executable, "-m", "pip", "install", "duckdb>=1.5.5,<3", "a b"]
