# SPDX-License-Identifier: Apache-2.0
"""Where a daemon listens: loopback, or an address that is encrypted or stands behind a proxy."""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ttapi.errors import UsageError
from ttapi.server.guard import Place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ttapi.config import Settings

_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
_LEAST_PREFIX = {4: 8, 6: 7}
"""Of the largest networks that are somebody's own: 10.0.0.0/8 and fc00::/7 (RFC 1918, RFC 4193)."""
_USUAL_PORTS = {"http": 80, "https": 443}
_NAMED_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?)(:([1-9]\d{0,4}))?")


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
        networks = tuple(ipaddress.ip_network(text) for text in texts)
    except ValueError as exc:
        raise UsageError(f"--behind-proxy: {exc}", hint="10.0.0.0/8 works") from exc
    for network in networks:
        if network.prefixlen < _LEAST_PREFIX[network.version]:
            raise UsageError(
                f"--behind-proxy {network} is no proxy's network: who is in it may say whose a request is",
                hint="the proxy's own address works: 192.0.2.7/32",
            )
    return networks


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


def _is_wildcard(host: str) -> bool:
    """Whether `host` is every address of this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_unspecified
    except ValueError:
        return False


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


def base_url_of(listener: socket.socket, options: ServeOptions, scheme: str) -> str:
    """Where the daemon is reached from this machine."""
    port, host = listener.getsockname()[1], _as_in_url(options.host)
    shown = "127.0.0.1" if _is_wildcard(options.host) else host
    return f"{scheme}://{shown}:{port}"


def place_of(
    port: int,
    options: ServeOptions,
    scheme: str,
    proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...],
    hosts: tuple[NamedHost, ...] = (),
) -> Place:
    """What Host and Origin may say of a daemon that listens at `port`, and who may connect."""
    host = _as_in_url(options.host)
    names = {host, *_LOOPBACK_NAMES}
    if not is_loopback(options.host):
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    authorities = {f"{name}:{port}" for name in names}
    if port == _USUAL_PORTS[scheme] or proxies:
        authorities |= names
    # A browser reaches a proxy by TLS, whatever the proxy reaches the daemon by.
    outer = "https" if proxies else scheme
    named = {name for one in hosts for name in one.authorities(outer, port)}
    return Place(frozenset(authorities), scheme, proxies, frozenset(named))


@dataclass(frozen=True)
class NamedHost:
    """One name of `[serve] hosts`."""

    name: str
    """Lower case; an IPv6 address in brackets."""
    port: int | None
    """None: the usual one, or that at which the daemon listens."""

    def authorities(self, scheme: str, own_port: int) -> set[str]:
        """What Host says of it: the usual port is said or left out."""
        usual = _USUAL_PORTS[scheme]
        ports = {usual, own_port} if self.port is None else {self.port}
        return {f"{self.name}:{port}" for port in ports} | (
            {self.name} if usual in ports else set()
        )


def named_hosts(settings: Settings) -> tuple[NamedHost, ...]:
    """The names of `[serve] hosts`. *Raises* UsageError for one that is none."""
    found = []
    for text in settings.serve_hosts:
        parts = _NAMED_HOST.fullmatch(text.lower())
        if parts is None or int(parts[4] or 0) > 65_535 or not _is_address(parts[1]):
            raise UsageError(
                f"{settings.places['serve_hosts']}: {text!r} is no name of a host",
                hint="ttapi.example.com works, and with a port ttapi.example.com:8443",
            )
        found.append(NamedHost(parts[1], int(parts[4]) if parts[4] else None))
    return tuple(found)


def _is_address(name: str) -> bool:
    """Whether what stands in brackets is an IPv6 address; a name without them is right as it is."""
    if not name.startswith("["):
        return True
    try:
        ipaddress.IPv6Address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _as_in_url(host: str) -> str:
    bare = host.strip("[]").lower()
    return f"[{bare}]" if ":" in bare else bare
