# SPDX-License-Identifier: Apache-2.0
"""What the unmodified `tastytrade-sdk` of PyPI reads from a simulator by TLS, as one JSON object.

usage: tastytrade_sdk_probe.py HOST:PORT LOGIN PASSWORD OPTION FUTURE, the certificate to trust in
REQUESTS_CA_BUNDLE. It is run where that client is installed, not where the tests are.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback

from tastytrade_sdk import Tastytrade
from tastytrade_sdk.api import Unauthorized


def stream(tasty, symbols, fields):
    """The first quote of every symbol and the Greeks of those that have them."""
    found, is_done = {"quotes": {}, "greeks": {}}, threading.Event()

    def quote(event):
        found["quotes"][event["symbol"]] = [event["bidPrice"], event["askPrice"]]
        look()

    def greeks(event):
        found["greeks"][event["symbol"]] = event["delta"]
        look()

    def look():
        if len(found["quotes"]) == len(symbols) and found["greeks"]:
            is_done.set()

    tasty.market_data.subscribe(
        symbols=symbols, on_quote=quote, on_greeks=greeks, event_fields=fields
    ).open()
    if not is_done.wait(600):
        sys.exit(f"not all came: {found}")
    return found


def main(address, login, password, option, future):
    tasty = Tastytrade(api_base_url=address).login(login=login, password=password)
    read = tasty.api.get
    accounts = read("/customers/me/accounts")["data"]["items"]
    number = accounts[0]["account"]["account-number"]
    equities = read("/instruments/equities", [("symbol[]", "SPY"), ("symbol[]", "BRK/B")])
    symbols = ["SPY", option, future]
    said = {
        "accounts": [one["account"]["account-number"] for one in accounts],
        "positions": len(read(f"/accounts/{number}/positions")["data"]["items"]),
        "roots": [one["root-symbol"] for one in read("/option-chains/SPX/nested")["data"]["items"]],
        "equities": [one["symbol"] for one in equities["data"]["items"]],
        "full": stream(tasty, symbols, None),
        "compact": stream(
            tasty,
            symbols,
            {
                "Quote": ["eventType", "eventSymbol", "bidPrice", "askPrice"],
                "Greeks": ["eventType", "eventSymbol", "delta"],
            },
        ),
    }
    tasty.logout()
    try:
        read("/customers/me")
    except Unauthorized as error:
        said["after_logout"] = error.error_code
    return said


def leave(code):
    """End at once: the client's threads wait for a next message, which a still market does not send."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    try:
        sys.stdout.write(json.dumps(main(*sys.argv[1:])))
    except BaseException:  # noqa: BLE001 - the client's own errors are no Exception
        traceback.print_exc()
        leave(1)
    leave(0)
