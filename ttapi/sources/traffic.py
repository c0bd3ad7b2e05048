# SPDX-License-Identifier: Apache-2.0
"""What a source's network calls came to: counts by outcome, the pace, what was told.

Answers that could not be used, kept with the reason: `journal/quarantine/` in the home.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ttapi.secret import scrubbed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class RefusedGrant:
    """Credentials that a vendor refused: asking again soon may get the whole address blocked."""

    credentials: str
    """A hash of them and of the server that refused them."""
    text: str
    refused_at: datetime
    """Zone-aware UTC."""

    def as_document(self) -> list[str]:
        """For the state file."""
        return [self.credentials, self.text, self.refused_at.isoformat()]


def refusal_of(document: Mapping[str, Any] | None) -> RefusedGrant | None:
    """The refusal that an account in the state file tells of."""
    found = (document or {}).get("refusal")
    if not found:
        return None
    credentials, text, refused_at = found
    return RefusedGrant(credentials, text, datetime.fromisoformat(refused_at))


@dataclass
class Traffic:
    """The running account of one source in one command."""

    outcomes: Counter[str] = field(default_factory=Counter)
    """Requests by how they ended: a status (`200`), or `timeout`, `unreachable`, `oversized`."""
    received_bytes: int = 0
    """On the wire, bodies only."""
    in_flight: int = 0
    in_flight_most: int = 0
    allowed_per_s: float | None = None
    """Requests a second that the settings allow; None: not paced."""
    pace_per_s: float | None = None
    """Requests a second at the end: less than allowed after a 429."""
    refusal: RefusedGrant | None = None
    """That the vendor refused who we are, in this command or one before it."""
    unreachable: str | None = None
    """Why nothing can be asked for the rest of this command; None: it can."""

    @property
    def requests(self) -> int:
        """Requests sent, repeated ones included."""
        return sum(self.outcomes.values())

    @property
    def is_slowed(self) -> bool:
        """Whether the vendor's 429 has lowered the pace, and it has not recovered."""
        return (
            self.allowed_per_s is not None
            and self.pace_per_s is not None
            and self.pace_per_s < self.allowed_per_s * 0.99
        )

    def started(self) -> None:
        """One more request in flight."""
        self.in_flight += 1
        self.in_flight_most = max(self.in_flight_most, self.in_flight)

    def ended(self, outcome: str, received_bytes: int = 0) -> None:
        """One request less in flight, and how it ended."""
        self.in_flight -= 1
        self.outcomes[outcome] += 1
        self.received_bytes += received_bytes

    def as_document(self) -> dict[str, Any]:
        """For the state file and the log."""
        return {
            "requests": self.requests,
            "outcomes": dict(sorted(self.outcomes.items())),
            "received_bytes": self.received_bytes,
            "in_flight_most": self.in_flight_most,
            "allowed_per_s": self.allowed_per_s,
            "pace_per_s": None if self.pace_per_s is None else round(self.pace_per_s, 3),
            "refusal": None if self.refusal is None else self.refusal.as_document(),
        }


class NetworkAccounts:
    """The accounts of one command, by source."""

    def __init__(self, before: Mapping[str, Mapping[str, Any]]) -> None:
        """`before`: the documents of the last command's accounts; what was refused stays refused."""
        self._before = before
        self._accounts: dict[str, Traffic] = {}

    def of(self, source: str) -> Traffic:
        """The account of `source`, the same each time."""
        if source not in self._accounts:
            self._accounts[source] = Traffic(refusal=refusal_of(self._before.get(source)))
        return self._accounts[source]

    def as_documents(self) -> dict[str, dict[str, Any]]:
        """For the state file: of the sources that were asked something, or that refused us."""
        return {
            name: traffic.as_document()
            for name, traffic in self._accounts.items()
            if traffic.requests or traffic.refusal
        }


def traffic_text(document: Mapping[str, Any]) -> str:
    """One line about a finished account: `1,521 requests (1,480 x 200, 41 x 429), pace 60 of 120/s`."""
    outcomes = ", ".join(f"{count:,} x {name}" for name, count in document["outcomes"].items())
    plural = "" if document["requests"] == 1 else "s"
    text = f"{document['requests']:,} request{plural} ({outcomes})"
    allowed, pace = document["allowed_per_s"], document["pace_per_s"]
    if allowed is None or pace is None:
        return text
    return f"{text}, pace {pace:g} of {allowed:g}/s"


_KEPT_FILES = 200
_KEPT_BYTES = 256_000
_NOT_A_NAME = re.compile(r"[^a-z0-9]+")


class Quarantine:
    """A folder of refused answers, the newest 200; nothing is kept where there is no home."""

    def __init__(self, home: Path | None) -> None:
        self._folder = None if home is None else home / "journal" / "quarantine"

    def keep(self, endpoint: str, status: int | None, reason: str, body: bytes) -> Path | None:
        """Where the answer lies; its reason stands on the first line, secrets are blotted out.

        An answer seen before is kept once. None where nothing could be kept.
        """
        if self._folder is None:
            return None
        stem = _NOT_A_NAME.sub("-", endpoint.lower()).strip("-")
        digest = hashlib.blake2b(body, digest_size=6).hexdigest()
        file = self._folder / f"{stem}-{digest}.txt"
        text = scrubbed(body[:_KEPT_BYTES].decode("utf-8", "replace"))
        cut = f", first {_KEPT_BYTES:,} of {len(body):,} bytes" if len(body) > _KEPT_BYTES else ""
        head = f"{endpoint}, status {status}{cut}: {scrubbed(reason)}\n"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(head + text)
            self._forget_oldest()
        except OSError:
            return None
        return file

    def _forget_oldest(self) -> None:
        assert self._folder is not None
        files = sorted(self._folder.glob("*.txt"), key=lambda f: f.stat().st_mtime_ns)
        for file in files[:-_KEPT_FILES]:
            file.unlink(missing_ok=True)
