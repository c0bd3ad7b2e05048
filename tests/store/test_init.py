# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ttapi.store


def test_every_public_name_can_be_had_and_is_sorted():
    assert ttapi.store.__all__ == sorted(ttapi.store.__all__, key=str)
    assert set(ttapi.store.__all__) == set(ttapi.store._HOMES)
    assert all(
        getattr(ttapi.store, name).__name__ for name in ttapi.store.__all__ if name != "Coverage"
    )


def test_a_name_it_does_not_have_is_an_attribute_error():
    assert not hasattr(ttapi.store, "nothing")
