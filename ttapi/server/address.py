# SPDX-License-Identifier: Apache-2.0
"""Where a daemon listens: loopback, or an address that is encrypted or stands behind a proxy."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttapi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True)
class ServeOptions:
    """Where a daemon listens, and what it leaves."""

    host: str = "127.0.0.1"
    port: int = 8321
    """0: a free one."""
    port_file: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    proxies: tuple[str, ...] = ()
    """CIDR of the proxies that connections come from."""
    is_scheduled: bool = True
    """Whether datasets are kept inside their TTL."""
    symbols: tuple[str, ...] = ()
    """Whose live events are recorded and sent on; empty: nobody's."""


def proxy_networks(
    texts: tuple[str, ...],
) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    """The networks that `texts` name. *Raises* UsageError."""
    try:
        return tuple(ipaddress.ip_network(text) for text in texts)
    except ValueError as exc:
        raise UsageError(f"--behind-proxy: {exc}", hint="10.0.0.0/8 works") from exc


def scheme_of(options: ServeOptions) -> str:
    """The scheme: https where a certificate is given and good. *Raises* UsageError."""
    if options.tls_cert is None and options.tls_key is None:
        return "http"
    if options.tls_cert is None or options.tls_key is None:
        raise UsageError("--tls-cert and --tls-key are given together")
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options.tls_cert, options.tls_key)
    except OSError as exc:  # ssl's error is one
        raise UsageError(
            f"{options.tls_cert} and {options.tls_key} are no certificate and its key: {exc}",
            hint="two files in PEM",
        ) from exc
    return "https"


def refuse_open_address(options: ServeOptions) -> None:
    """Nothing, or UsageError for an address that others reach in clear."""
    if is_loopback(options.host) or options.tls_cert or options.proxies:
        return
    raise UsageError(
        f"--host {options.host} would send tokens and data in clear over the network",
        hint="--tls-cert and --tls-key, or --behind-proxy CIDR where a proxy has them",
    )


def is_loopback(host: str) -> bool:
    """Whether `host` can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@contextmanager
def listening(options: ServeOptions) -> Iterator[socket.socket]:
    """Listen at the address inside the block. *Raises* UsageError for one that is taken, or none."""
    host = options.host.strip("[]")
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.create_server(address[:2], family=family)
    except OSError as exc:
        raise UsageError(
            f"{options.host}:{options.port} cannot be listened on: {exc.strerror}",
            hint="--port 0 takes a free one",
        ) from exc
    with listener:
        yield listener


def address_of(
    listener: socket.socket, options: ServeOptions, scheme: str
) -> tuple[str, frozenset[str]]:
    """The base URL, and what Host may say."""
    port = listener.getsockname()[1]
    bare = options.host.strip("[]").lower()
    host = f"[{bare}]" if ":" in bare else bare
    names = {host, *_LOOPBACK_NAMES}
    if not is_loopback(bare):
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    default = {"http": 80, "https": 443}[scheme]
    authorities = {f"{name}:{port}" for name in names}
    if port == default or options.proxies:
        authorities |= names
    shown = "127.0.0.1" if bare in {"0.0.0.0", "::"} else host  # noqa: S104 - what was asked for, compared
    return f"{scheme}://{shown}:{port}", frozenset(authorities)
