# SPDX-License-Identifier: Apache-2.0
"""What a command must know to ask the simulated vendors."""

from __future__ import annotations


def settings_of(server, *, has_streams=False):
    """Variables of who asks `server`; `has_streams`: its dxLink, too."""
    grant = server.credentials.grant
    found = {
        "TTAPI_TASTYTRADE_BASE_URL": server.base_url,
        "TTAPI_TASTYTRADE_CLIENT_SECRET": grant.client_secret,
        "TTAPI_TASTYTRADE_REFRESH_TOKEN": grant.refresh_token,
    }
    if has_streams:
        found["TTAPI_DXLINK_URL"] = server.dxlink_url
        found["TTAPI_DXLINK_TOKEN"] = server.credentials.quote_token
    return found


def patient_settings_of(server):
    """The same for who gives up on nothing because a machine is slow; who tests giving up says so."""
    return settings_of(server) | {
        "TTAPI_TASTYTRADE_REQUESTS_PER_S": "1000",
        "TTAPI_TASTYTRADE_GIVE_UP_S": "600",
    }
