# SPDX-License-Identifier: Apache-2.0
"""Datasets as sources and models declare them: pure functions of one resource or one model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttapi.refresh.planning.datasets import Dataset
from ttapi.sources.contract import NarrowingSource, Resource, Source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ttapi.models.model import Model
    from ttapi.models.readings import Flow


@dataclass(frozen=True)
class Offer:
    """One resource and the source that offers it."""

    source: Source
    resource: Resource

    @property
    def dataset(self) -> str:
        """The catalog's name of the raw table."""
        return f"raw.{self.resource.table}"


def completing_last(named: tuple[str, Offer]) -> tuple[bool, str]:
    """Sort key of named offers: what completes another is asked after it."""
    name, offer = named
    return offer.resource.completes is not None, name


def raw_dataset(offer: Offer, fingerprint: str, missing_setting: str | None) -> Dataset:
    """The raw table that `offer` fills; `missing_setting`: what it must be told first, None for nothing."""
    source, resource = offer.source, offer.resource
    return Dataset(
        name=offer.dataset,
        kind="raw",
        fingerprint=fingerprint,
        ttl=resource.ttl,
        source=source.name,
        key=resource.keys[0] if resource.keys else None,
        tracked=resource.tracked_by,
        is_local=resource.is_local,
        is_private=resource.is_private,
        missing_setting=missing_setting,
        max_stale=resource.max_stale,
        max_stale_on_error=resource.max_stale_on_error,
        requires=resource.requires,
        units_a_call=resource.units_a_call,
        is_bound_only=resource.is_bound_only,
        completes=f"raw.{resource.completes}" if resource.completes else None,
        is_narrowable=isinstance(source, NarrowingSource),
        time_column=resource.time_column,
        sessions=resource.sessions,
        revise=resource.revise,
        columns=tuple(column.name.lower() for column in resource.columns),
    )


def model_dataset(
    model: Model, flow: Flow, upstreams: frozenset[str], known: Mapping[str, Dataset]
) -> Dataset:
    """What `model` builds from `upstreams`, each of which is in `known`; private if one of them is."""
    return Dataset(
        name=model.name,
        kind=model.kind,
        fingerprint=model.fingerprint,
        upstreams=upstreams,
        ttl=model.ttl,
        through=model.through,
        tracked=model.incremental,
        is_private=model.is_private or any(known[u].is_private for u in upstreams),
        columns=flow.columns,
        parameters=flow.parameters,
        reads=flow.reads,
        is_row_wise=flow.is_row_wise,
    )
