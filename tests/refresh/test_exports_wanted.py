# SPDX-License-Identifier: Apache-2.0
"""Which relations are written to files after a publication: those that read what changed, and unknown ones."""

from __future__ import annotations

from types import SimpleNamespace

from ttapi.refresh.maintenance import _requests
from ttapi.store import ExportRequest


def test_what_reads_a_change_is_written_and_what_nobody_knows_is_asked_for_to_fail():
    datasets = {
        name: SimpleNamespace(upstreams=upstreams)
        for name, upstreams in {
            "raw.a": (),
            "raw.b": (),
            "over": ("raw.a",),
            "top": ("over",),
        }.items()
    }
    settings = SimpleNamespace(
        export_datasets=("top", "raw.b", "nosuch"), export_formats=("parquet", "csv")
    )
    environment = SimpleNamespace(settings=settings, datasets=datasets)

    def wanted(*changed):
        return _requests(environment, frozenset(changed))

    unknown = [ExportRequest("nosuch", "parquet"), ExportRequest("nosuch", "csv")]
    assert wanted("raw.a") == [
        ExportRequest("top", "parquet"),
        ExportRequest("top", "csv"),
        *unknown,
    ]
    assert wanted() == unknown
