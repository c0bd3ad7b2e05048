# SPDX-License-Identifier: Apache-2.0
"""By which names a daemon is reached: its addresses, what `[serve] hosts` lists, and no others."""

from __future__ import annotations

import ipaddress
import json
import socket
import ssl
from contextlib import closing

import httpx
import pytest
import trustme
from served_command import fail, serving

from ttapi.config import Settings
from ttapi.errors import UsageError
from ttapi.server.address import NamedHost, ServeOptions, named_hosts, place_of, proxy_networks

PROXY = (ipaddress.ip_network("192.0.2.7/32"),)
TOLD = "[serve] hosts lists the names by which this one is reached"


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("ttapi.example.com", NamedHost("ttapi.example.com", None)),
        ("TTAPI.Example.com:8443", NamedHost("ttapi.example.com", 8443)),
        ("192.0.2.1", NamedHost("192.0.2.1", None)),
        ("[2001:db8::1]:80", NamedHost("[2001:db8::1]", 80)),
    ],
)
def test_a_name_of_a_host_has_a_port_or_none(text, host):
    assert named_hosts(Settings(serve_hosts=(text,))) == (host,)


@pytest.mark.parametrize(
    "text",
    ["", "https://ttapi.example.com", "a b", "*.example.com", "a:0", "a:65536", "[nonsense]", "[::1", "::1", "-a"],
)  # fmt: skip
def test_what_is_no_name_of_a_host_is_refused_by_the_setting_s_own_name(text):
    settings = Settings(serve_hosts=("a.example", text), places={"serve_hosts": "TTAPI_SERVE_HOSTS"})  # fmt: skip
    with pytest.raises(UsageError) as refused:
        named_hosts(settings)
    assert refused.value.message == f"TTAPI_SERVE_HOSTS: {text!r} is no name of a host"


@pytest.mark.parametrize(
    ("scheme", "proxies", "hosts", "named", "origins"),
    [
        ("https", (), [NamedHost("a.example", None)], {"a.example", "a.example:443", "a.example:8321"},
         {"https://a.example", "https://a.example:443", "https://a.example:8321"}),
        ("http", PROXY, [NamedHost("a.example", None)], {"a.example", "a.example:443", "a.example:8321"},
         {"https://a.example", "https://a.example:443", "https://a.example:8321"}),
        ("http", PROXY, [NamedHost("a.example", 8443)], {"a.example:8443"}, {"https://a.example:8443"}),
        ("https", (), [NamedHost("a.example", 443)], {"a.example", "a.example:443"},
         {"https://a.example", "https://a.example:443"}),
        ("http", (), [NamedHost("a.example", 80)], {"a.example", "a.example:80"},
         {"http://a.example", "http://a.example:80"}),
    ],
)  # fmt: skip
def test_a_name_is_allowed_as_host_and_as_the_origin_of_pages(scheme, proxies, hosts, named, origins):  # fmt: skip
    options = ServeOptions(host="127.0.0.1")
    without = place_of(8321, options, scheme, proxies)
    place = place_of(8321, options, scheme, proxies, tuple(hosts))
    assert (place.named, place.origins - without.origins) == (named, origins)
    assert place.authorities == without.authorities


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0", "128.0.0.0/1", "2000::/3"])
def test_a_network_of_everybody_is_no_proxy_s(network):
    with pytest.raises(UsageError, match="is no proxy's network"):
        proxy_networks(("10.0.0.0/8", network))
    assert proxy_networks(("10.0.0.0/8", "fc00::/7")) == (
        ipaddress.ip_network("10.0.0.0/8"),
        ipaddress.ip_network("fc00::/7"),
    )


def own_address():
    """An address of this machine that is no loopback; None where it has none."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.connect(
                ("192.0.2.1", 9)
            )  # nothing is sent: the system only says from where it would be
        except OSError:
            return None
        return probe.getsockname()[0]


def test_tls_of_its_own_is_reached_by_the_machine_s_address_and_by_the_names_listed(
    whole_lab, tmp_path
):
    authority = trustme.CA()
    address = own_address() or "127.0.0.2"
    certificate = authority.issue_cert("ttapi.example.com", address)
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_bytes(b"".join(one.bytes() for one in certificate.cert_chain_pems))
    key.write_bytes(certificate.private_key_pem.bytes())
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    whole_lab.environ["TTAPI_SERVE_HOSTS"] = "ttapi.example.com"
    options = ("--no-scheduler", "--host", "0.0.0.0", "--tls-cert", cert, "--tls-key", key)
    with serving(whole_lab, *options) as (process, said):
        port = said.split()[3].rstrip(";").rpartition(":")[2]
        token = json.loads(whole_lab.home.token_file.read_text())["token"]
        url = f"https://{address}:{port}"
        with httpx.Client(verify=trusted, trust_env=False, base_url=url) as client:

            def asked(host=None, origin=None):
                headers = {"authorization": f"Bearer {token}"}
                headers |= {"host": host} if host else {}
                headers |= {"origin": origin} if origin else {}
                return client.post("/api/v1/logout", headers=headers)

            allowed = [
                asked(),
                asked(origin=url),
                asked("ttapi.example.com", "https://ttapi.example.com"),
                asked(f"TTAPI.example.com:{port}", f"https://ttapi.example.com:{port}"),
            ]
            others = [
                asked("other.example.com"),
                asked("ttapi.example.com:1"),
                asked("192.0.2.1"),
                asked(address),
            ]
            pages = [
                asked(origin="http://ttapi.example.com"),
                asked(origin=f"http://{address}:{port}"),
                asked(origin=f"https://{address}"),
            ]
        process.terminate()
        assert process.wait(60) == 0
    assert [(one.status_code, one.json()) for one in allowed] == [(200, {"ended": False})] * 4
    assert {(one.status_code, one.json()["detail"]) for one in others} == {(421, f"Host names another server: {TOLD}")}  # fmt: skip
    assert {(one.status_code, one.json()["detail"]) for one in pages} == {(403, f"Origin is a page of another server: {TOLD}")}  # fmt: skip


def test_a_wrong_name_among_the_hosts_stops_the_start(whole_lab):
    whole_lab.environ["TTAPI_SERVE_HOSTS"] = "https://ttapi.example.com"
    assert fail(whole_lab) == (
        "ttapi: TTAPI_SERVE_HOSTS: 'https://ttapi.example.com' is no name of a host\n"
        "       ttapi.example.com works, and with a port ttapi.example.com:8443\n"
    )
