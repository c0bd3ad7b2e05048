# SPDX-License-Identifier: Apache-2.0
"""What the tests of file sources share: reading one file or folder through a source."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ttapi.sources.contract import Source, SourceContext, UnitReport, UnitRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# The helper modules beside these tests are imported by name.
sys.path.insert(0, str(Path(__file__).parent))

NOW = datetime(2024, 6, 14, 15, 0, tzinfo=UTC)
"""In the middle of a session, so that its bar is not known yet."""


@dataclass(frozen=True)
class Fetched:
    """Everything a source yielded for one resource."""

    reports: dict[str, UnitReport]
    rows: list[dict[str, Any]]
    """With `unit` replaced by the unit's key."""
    rejects: list[tuple[str, int, str, str]]
    """key, line, reason, text."""

    @property
    def report(self) -> UnitReport:
        (only,) = self.reports.values()
        return only

    @property
    def refused(self) -> list[tuple[int, str]]:
        return [(line, reason) for _, line, reason, _ in self.rejects]

    def column(self, name: str) -> list[Any]:
        return [row[name] for row in self.rows]


def fetch_all(
    source: Source,
    resource: str,
    settings: Mapping[str, str],
    known: Mapping[str, str] | None = None,
) -> Fetched:
    context = SourceContext(settings, NOW)
    wanted = next(item for item in source.resources if item.name == resource)
    requests = [
        UnitRequest(unit, (known or {}).get(unit.key)) for unit in source.survey(wanted, context)
    ]
    reports: dict[str, UnitReport] = {}
    rows: list[dict[str, Any]] = []
    rejects: list[tuple[str, int, str, str]] = []
    for batch in source.fetch(wanted, requests, context):
        keys = [report.unit.key for report in batch.units]
        reports |= dict(zip(keys, batch.units, strict=True))
        if batch.rows is not None:
            rows += [row | {"unit": keys[row["unit"]]} for row in batch.rows.to_pylist()]
        if batch.rejects is not None:
            found = batch.rejects.to_pylist()
            rejects += [(keys[r["unit"]], r["line"], r["reason"], r["text"]) for r in found]
    assert list(reports) == [request.unit.key for request in requests]
    for report in reports.values():
        accepted = sum(row["unit"] == report.unit.key for row in rows)
        refused = sum(key == report.unit.key for key, *_ in rejects)
        assert (report.rows_in, report.rows_accepted, report.rows_refused) == (
            accepted + refused,
            accepted,
            refused,
        )
    return Fetched(reports, rows, rejects)


@pytest.fixture
def fetched() -> Callable[..., Fetched]:
    """Calls a source for everything it has, holding the counts of every report to what came."""
    return fetch_all


@pytest.fixture
def read_bars(tmp_path: Path) -> Callable[..., Fetched]:
    """Reads one file of the given content through the source `metastock`."""

    def read(content: str | bytes, name: str = "AAPL.csv", **settings: str) -> Fetched:
        from ttapi.sources.metastock import MetastockSource

        data = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(data)
        return fetch_all(MetastockSource(), "bars", {"path": str(tmp_path), **settings})

    return read


@pytest.fixture
def read_quotes(tmp_path: Path) -> Callable[..., Fetched]:
    """Reads one file of option quotes through the source `files`, the folder `path` below the test's named."""

    def read(
        content: str | bytes, name: str = "AAPL/20140602.csv", path: str = "", **fields: str
    ) -> Fetched:
        from ttapi.sources.files import FilesSource

        data = content.encode() if isinstance(content, str) else content
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        settings = {f"option_quotes_{field}": text for field, text in fields.items()}
        return fetch_all(
            FilesSource(),
            "option_quotes",
            {"option_quotes_path": str(tmp_path / path), **settings},
        )

    return read


@pytest.fixture
def real_data() -> Path:
    """The folder of real market data; skips where it is absent."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = Path(os.environ.get("TTAPI_REALDATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; TTAPI_REALDATA names it")
    return folder
