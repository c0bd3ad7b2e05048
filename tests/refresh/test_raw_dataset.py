# SPDX-License-Identifier: Apache-2.0
"""What is planned with is what the resource declares: nothing is copied wrongly, nothing is lost on the way."""

from __future__ import annotations

from dataclasses import fields

from ttapi.refresh.datasets import Dataset, SourceResource, raw_dataset
from ttapi.refresh.home_state import dataset_from_json, dataset_to_json
from ttapi.sources.contract import Resource
from ttapi.sources.discovery import installed_sources

OWN_FORM = {"name", "columns", "completes", "tracked"}
"""Fields of both that a dataset says in the catalog's words."""


def test_a_raw_dataset_says_what_its_resource_says(tmp_path):
    alike = sorted(
        {f.name for f in fields(Dataset)} & {f.name for f in fields(Resource)} - OWN_FORM
    )
    sources = [installed.source for installed in installed_sources(tmp_path) if installed.source]
    offers = [SourceResource(source, one) for source in sources for one in source.resources]
    assert len(offers) >= 25
    for offer in offers:
        dataset, resource = raw_dataset(offer, "code.settings", "path"), offer.resource
        assert {n: getattr(dataset, n) for n in alike} == {n: getattr(resource, n) for n in alike}
        assert (dataset.name, dataset.source) == (f"raw.{resource.table}", offer.source.name)
        assert dataset.columns == tuple(column.name for column in resource.columns)
        assert dataset.key == (resource.keys[0] if resource.keys else None)
        assert dataset.completes == (resource.completes and f"raw.{resource.completes}")
        assert dataset.tracked == resource.tracked_by
        assert dataset_from_json(dataset_to_json(dataset)) == dataset
