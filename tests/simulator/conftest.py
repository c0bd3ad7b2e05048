# SPDX-License-Identifier: Apache-2.0
"""A small synthetic market, written once."""

from __future__ import annotations

from datetime import date

import pytest

from ttapi.simulator import write_market

LAST_SESSION = date(2024, 6, 14)


@pytest.fixture(scope="session")
def small_market(tmp_path_factory):
    """40 symbols over 260 sessions."""
    folder = tmp_path_factory.mktemp("market")
    return write_market(folder, seed=3, last_session=LAST_SESSION, symbols=40, sessions=260)
