# SPDX-License-Identifier: Apache-2.0
"""Faults are named and set in one small language."""

from __future__ import annotations

import pytest

from ttapi.errors import UsageError
from ttapi.simulator.faults import FAULTS, Faults, parse_fault


def test_a_fault_has_its_defaults_and_what_was_set():
    fault = parse_fault("drop-mid-snapshot:after=7")
    assert fault.arguments == {"after": 7.0, "times": 1}


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_every_fault_can_be_set_by_its_name_alone(name):
    assert Faults([name]).active(name).arguments == dict(FAULTS[name].arguments)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("no-such", "fault 'no-such' is unknown"),
        ("mute:loud=1", "fault 'mute' has no argument 'loud'"),
        ("mute:after=soon", "fault 'mute': after = 'soon' is no number"),
    ],
)
def test_a_wrong_spec_says_what_is_wrong(spec, said):
    with pytest.raises(UsageError, match=said):
        parse_fault(spec)


def test_a_fault_happens_as_often_as_it_should():
    faults = Faults(["refuse-token:times=2", "duplicates"])
    assert [bool(faults.strike("refuse-token")) for _ in range(3)] == [True, True, False]
    assert all(faults.strike("duplicates") for _ in range(3))
    faults.clear()
    assert faults.active("duplicates") is None
