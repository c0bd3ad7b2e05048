# SPDX-License-Identifier: Apache-2.0
"""The one place doors import from: every name can be had, and having it costs nothing before its use."""

from __future__ import annotations

import subprocess
import sys

import ttapi.api


def test_every_name_of_the_doors_can_be_had_and_is_sorted():
    assert ttapi.api.__all__ == sorted(ttapi.api.__all__)
    assert set(ttapi.api.__all__) == set(ttapi.api._HOMES)
    assert all(getattr(ttapi.api, name) is not None for name in ttapi.api.__all__)


def test_a_name_the_doors_do_not_have_is_an_attribute_error():
    assert not hasattr(ttapi.api, "nothing")


def test_the_operations_bring_neither_the_engine_nor_a_room_below():
    code = (
        "import sys, ttapi.api.answer, ttapi.api.operations, ttapi.api.plugins\n"
        "heavy = {'duckdb', 'polars', 'pyarrow', 'sqlglot', 'typer', 'rich'} & set(sys.modules)\n"
        "below = {'store', 'models', 'refresh', 'sources', 'market', 'audit'}\n"
        "rooms = {m for m in sys.modules if m.startswith('ttapi.') and m.split('.')[1] in below}\n"
        "print(sorted(heavy | rooms))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_status_brings_neither_the_engine_nor_frames_nor_the_parser(lab):
    code = (
        "import sys\n"
        "from ttapi.cli.report import report_status\n"
        "report_status(None, None, True, False)\n"
        "heavy = {'duckdb', 'polars', 'pyarrow', 'sqlglot', 'httpx', 'websockets', 'typer', 'rich'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, env=lab.variables
    )
    assert (done.returncode, done.stderr.strip()) == (1, "")
    assert '"raw.calendar_days"' in done.stdout
