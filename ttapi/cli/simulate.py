# SPDX-License-Identifier: Apache-2.0
"""`ttapi simulate`: vendors that do not exist, on loopback, until interrupted."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ttapi.config import require_extra

if TYPE_CHECKING:
    from ttapi.simulator.vendor_market import VendorMarket

_EPILOG = "ttapi simulate --faults lists what --fault knows: 429-burst:after=20,count=10 and more."


def register_simulate(app: typer.Typer) -> None:
    """Add the command."""
    app.command("simulate", epilog=_EPILOG)(simulate)


def simulate(
    vendors: Annotated[
        list[str] | None, typer.Argument(help="tastytrade, dxlink; default: both.")
    ] = None,
    port_file: Annotated[
        Path | None, typer.Option(help="Write addresses and logins to this file, too.")
    ] = None,
    request_log: Annotated[
        Path | None, typer.Option(help="Append one JSON line per request served.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Which market; the same seed, the same market.")] = 7,
    fault: Annotated[
        list[str] | None, typer.Option(help="What shall go wrong; may be given often.")
    ] = None,
    faults: Annotated[bool, typer.Option("--faults", help="List all faults and leave.")] = False,
    market: Annotated[
        Path | None, typer.Option(help="Replay a folder of bars and chains instead of a seed.")
    ] = None,
    requests_per_s: Annotated[
        float | None, typer.Option(help="Allowed REST requests a second; beyond: 429.", min=0.1)
    ] = None,
    tls: Annotated[
        bool, typer.Option("--tls", help="REST by TLS on a port of its own, too.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse a User-Agent without product/version.")
    ] = False,
    ahead: Annotated[
        bool, typer.Option("--ahead", help="Draw every symbol before the first is asked for.")
    ] = False,
    moving: Annotated[
        bool,
        typer.Option("--moving", help="While the exchange is closed, run its last session anew."),
    ] = False,
    firehose: Annotated[
        float | None,
        typer.Option(
            help="Send the feed's clients so many events a second, made beforehand.", min=1
        ),
    ] = None,
    port: Annotated[int, typer.Option(help="0: a free one.", min=0, max=65535)] = 0,
) -> None:
    """Serve an invented market in the protocols of tastytrade and dxFeed until interrupted."""
    if faults:
        _list_faults()
        return
    require_extra("simulate", "aiohttp", "ttapi simulate")

    from ttapi.cli.terminal import tell
    from ttapi.simulator.dxlink.feed import Firehose
    from ttapi.simulator.server import VendorServer

    vendor_market = _market(seed, market, is_moving=moving)
    if ahead:
        vendor_market.draw_ahead()
    server = VendorServer(
        vendor_market,
        vendors=_known(vendors),
        faults=fault or (),
        requests_per_s=requests_per_s,
        is_strict=strict,
        tls=tls,
        request_log=request_log,
        port=port,
        firehose=Firehose(per_s=firehose) if firehose else None,
    )
    with server:
        text = json.dumps(server.addresses())
        try:
            if port_file:
                _write(port_file, text)
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
            tell(f"ttapi: {', '.join(sorted(server.vendors))} simulated; interrupt to stop")
            _wait()
        finally:
            if port_file:
                port_file.unlink(missing_ok=True)
    tell(f"ttapi: stopped; {server.counters.asked} REST requests")


def _known(vendors: list[str] | None) -> tuple[str, ...]:
    """The vendors to serve.

    *Raises* UsageError for one nobody simulates.
    """
    from ttapi.errors import UsageError
    from ttapi.simulator.server import VENDORS

    unknown = [name for name in vendors or () if name not in VENDORS]
    if unknown:
        raise UsageError(f"no simulator for {unknown[0]!r}", hint=f"known: {', '.join(VENDORS)}")
    return tuple(vendors or VENDORS)


def _market(seed: int, folder: Path | None, *, is_moving: bool) -> VendorMarket:
    """At TTAPI_NOW where that is set, else moving with the clock; `is_moving`: between sessions too."""
    from ttapi.clock import clock_from
    from ttapi.simulator.stored_market import market_from_folder
    from ttapi.simulator.vendor_market import VendorMarket, replaying

    clock = clock_from(os.environ).now
    now = replaying(clock) if is_moving else clock
    return market_from_folder(folder, now, seed=seed) if folder else VendorMarket(seed, now)


def _list_faults() -> None:
    from ttapi.simulator.faults import FAULTS

    for name, kind in sorted(FAULTS.items()):
        arguments = ",".join(f"{key}={value}" for key, value in kind.arguments.items())
        spec = f"{name}:{arguments}" if arguments else name
        sys.stdout.write(f"{kind.source:10}  {spec:42}  {kind.about}\n")


def _write(file: Path, text: str) -> None:
    """The file whole or not at all, since whoever waits for it reads it at once; it holds logins.

    *Raises* UsageError when it cannot be written.
    """
    from ttapi.errors import UsageError

    part = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        part.touch(mode=0o600)
        part.write_text(text + "\n", encoding="utf-8")
        part.replace(file)
    except OSError as exc:
        raise UsageError(f"the port file {file} cannot be written: {exc.strerror}") from exc


def _wait() -> None:
    """Return when interrupted: that is how this command ends well."""
    from threading import Event

    with suppress(KeyboardInterrupt):
        Event().wait()
