# SPDX-License-Identifier: Apache-2.0
"""Requests of the contract into calls of the interface, and answers into batches.

Many units are in flight at once; one that fails is told in its report, and the others go on.

Names of what a user sets for tastytrade.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections import deque
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from ttapi import __version__
from ttapi.errors import CredentialError, ResponseError, SourceDownError, SourceError, UsageError
from ttapi.market.calendar import NEW_YORK
from ttapi.sources.credentials import find_secret
from ttapi.sources.http import HostLimits, HttpClient
from ttapi.sources.in_thread import iterate_in_thread
from ttapi.sources.tastytrade import accounts, instruments, option_quotes
from ttapi.sources.tastytrade.api import TastytradeApi
from ttapi.sources.tastytrade.grant import RefreshGrant
from ttapi.sources.tastytrade.rows import ReadUnit, batch_of, read_unit
from ttapi.sources.tastytrade.source import SECRETS
from ttapi.sources.traffic import Quarantine, RefusedGrant

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Awaitable,
        Callable,
        Iterator,
        Sequence,
    )

    from ttapi.sources.contract import Batch, Resource, SourceContext, UnitRequest
    from ttapi.sources.tastytrade.fields import Content

BASE_URL = "https://api.tastyworks.com"
_NOT_ASKED_AGAIN = timedelta(hours=1)
"""After the vendor refused the credentials: some failed logins block the address for hours."""
_GIVE_UP_S = 30.0
"""For which a failing request is repeated: who queries waits for it."""
_UNITS_A_BATCH = 25
"""Committed together: a commit costs about what ten answers of the simulator do."""
_ROWS_A_BATCH = 25_000
"""Beyond which fewer units are committed together: batches wait in memory."""
_BATCHES_AHEAD = 2
_CHAINS_IN_FLIGHT = 4
"""Snapshots of chains read at once: each makes many calls, and waits in memory for the last."""
_FORBIDDEN = 403

Loaded = list[ReadUnit]
_WHOLE: dict[str, Callable[[TastytradeApi], Awaitable[Content]]] = {
    "accounts": accounts.read_accounts,
    "balances": accounts.read_balances,
    "positions": accounts.read_positions,
    "transactions": accounts.read_transactions,
    "symbols": instruments.read_symbols,
    "watchlists": instruments.read_watchlists,
    "futures": instruments.read_futures,
    "cryptocurrencies": instruments.read_cryptocurrencies,
}

_SPELLINGS: dict[tuple[str, ...], tuple[str, Callable[[str], str]]] = {
    ("symbol",): ("symbols", instruments.our_symbol),
    ("product_code",): ("product codes", instruments.our_product),
}
"""By the key that is asked for: what it is, and how ttapi writes it."""


def load(
    resource: Resource, requests: Sequence[UnitRequest], context: SourceContext
) -> Iterator[Batch]:
    """Batches of at most 25 units or some 25,000 rows, as they are answered.

    *Raises* SourceDownError when nothing was answered, CredentialError, UsageError.
    """

    async def batches() -> AsyncGenerator[Batch]:
        async with connected(context) as api:
            waiting: Loaded = []
            async for done in _answers(api, resource, requests, context):
                waiting += done
                rows = sum(unit.report.rows_accepted for unit in waiting)
                if len(waiting) >= _UNITS_A_BATCH or rows >= _ROWS_A_BATCH:
                    yield batch_of(waiting)
                    waiting = []
            if waiting:
                yield batch_of(waiting)

    yield from iterate_in_thread(batches, _BATCHES_AHEAD)


def prove(context: SourceContext) -> str:
    """How many accounts the credentials open. *Raises* CredentialError, SourceDownError."""

    async def accounts_of() -> AsyncGenerator[int]:
        async with connected(context) as api:
            yield len((await accounts.read_accounts(api)).rows)

    (count,) = iterate_in_thread(accounts_of)
    return f"accepted, {count} account{'' if count == 1 else 's'}"


@asynccontextmanager
async def connected(context: SourceContext) -> AsyncIterator[TastytradeApi]:
    """The interface, signed with the grant the context gives.

    *Raises* CredentialError, SourceDownError without asking where that was found out before.
    """
    _refuse_refused(context)
    url = _base_url(context)
    agent = f"ttapi/{__version__}"
    client = HttpClient(
        url,
        context.traffic,
        tuning=_tuning(context),
        headers={"User-Agent": agent},
        verify=_trust(context),
    )
    async with client:
        client.signer = grant = RefreshGrant(
            client,
            find_secret("tastytrade", "client_secret", context),
            find_secret("tastytrade", "refresh_token", context),
        )
        try:
            yield TastytradeApi(client, Quarantine(context.home))
        finally:
            _note_failure(grant.failure, context)


def _note_failure(failure: SourceDownError | None, context: SourceContext) -> None:
    """Have no further token asked for: in this command; for a dead grant within the hour."""
    if isinstance(failure, CredentialError):
        refusal = RefusedGrant(_credentials(context), failure.message, context.now)
        context.traffic.refusal = refusal
    elif failure is not None:
        context.traffic.unreachable = failure.message


def _refuse_refused(context: SourceContext) -> None:
    """Nothing, or CredentialError where the same server refused the same within the hour.

    *Raises* SourceDownError where no token could be had in this command.
    """
    if context.traffic.unreachable:
        raise SourceDownError(f"{context.traffic.unreachable}; not asked again in this command")
    refusal = context.traffic.refusal
    if refusal is None:
        return
    is_recent = timedelta() <= context.now - refusal.refused_at < _NOT_ASKED_AGAIN
    if refusal.credentials == _credentials(context) and is_recent:
        again = (refusal.refused_at + _NOT_ASKED_AGAIN).strftime("%H:%M UTC")
        raise CredentialError(
            f"{refusal.text}; these credentials are not tried again before {again}",
            hint="ttapi login stores new ones",
        )
    context.traffic.refusal = None


def _base_url(context: SourceContext) -> str:
    return context.settings.get("base_url", "").strip() or BASE_URL


def _credentials(context: SourceContext) -> str:
    """A hash of who asks whom: one server's refusal says nothing of another's."""
    texts = [find_secret("tastytrade", name, context).reveal() for name in SECRETS]
    texts.append(_base_url(context).rstrip("/"))
    return hashlib.blake2b("\0".join(texts).encode(), digest_size=8).hexdigest()


async def _answers(
    api: TastytradeApi,
    resource: Resource,
    requests: Sequence[UnitRequest],
    context: SourceContext,
) -> AsyncIterator[Loaded]:
    """What became of `requests`, some at a time, in the order they are answered.

    *Raises* CredentialError at once; SourceDownError when every unit failed for being out of reach.
    """
    misspelt = _misspelt(resource, requests)
    if misspelt:
        yield misspelt
    told = {one.report.unit.key for one in misspelt}
    groups = deque(_groups(resource, [r for r in requests if r.unit.key not in told]))
    running: set[asyncio.Task[tuple[Loaded, SourceDownError | None]]] = set()
    in_flight = _tuning(context).in_flight
    if resource.name == "option_quotes":
        in_flight = min(in_flight, _CHAINS_IN_FLIGHT)
    down: SourceDownError | None = None
    has_answer = False
    try:
        while groups or running:
            # Answers that nobody has taken yet count: they would pile up before a slow commit.
            while groups and len(running) < in_flight:
                answered = _answered(api, resource, groups.popleft(), context)
                running.add(asyncio.create_task(answered))
            finished, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in finished:
                done, error = task.result()
                down = down or error
                has_answer |= error is None
                yield done
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    if down is not None and not has_answer:
        raise down


def _misspelt(resource: Resource, requests: Sequence[UnitRequest]) -> Loaded:
    """Those of `requests` whose key is the vendor's text: rows would lie where nobody looks."""
    what, ours = _SPELLINGS.get(resource.requires[:1], ("", str))
    return [
        read_unit(resource, request, f"{what} are written as ttapi does: {ours(request.unit.key)}")
        for request in requests
        if ours(request.unit.key) != request.unit.key
    ]


def _groups(resource: Resource, requests: Sequence[UnitRequest]) -> list[Sequence[UnitRequest]]:
    size = resource.units_a_call
    return [requests[start : start + size] for start in range(0, len(requests), size)]


async def _answered(
    api: TastytradeApi,
    resource: Resource,
    group: Sequence[UnitRequest],
    context: SourceContext,
) -> tuple[Loaded, SourceDownError | None]:
    try:
        if resource.name == "market_metrics":
            return await _metrics(api, resource, group), None
        (request,) = group
        content = await _content(api, resource, request, context)
        return [read_unit(resource, request, content)], None
    except CredentialError:
        raise
    except SourceDownError as exc:
        return [read_unit(resource, request, str(exc)) for request in group], exc
    except SourceError as exc:
        # Where the vendor lets us have nothing at all, the dataset is refused, not its units odd.
        is_refused = isinstance(exc, ResponseError) and exc.status == _FORBIDDEN
        refused = SourceDownError(str(exc)) if is_refused else None
        is_absent = isinstance(exc, ResponseError) and exc.is_unknown
        told = _text(exc)
        return [read_unit(resource, r, told, is_absent=is_absent) for r in group], refused


async def _content(
    api: TastytradeApi, resource: Resource, request: UnitRequest, context: SourceContext
) -> Content:
    key = request.unit.key
    if resource.name in _WHOLE:
        return await _WHOLE[resource.name](api)
    if resource.name == "symbol_search":
        return await instruments.read_search(api, key)
    if resource.name == "option_quotes":
        return await option_quotes.read_option_quotes(api, key, context.now)
    if resource.name == "future_options":
        return await instruments.read_future_options(api, key)
    if resource.name == "events":
        today = context.now.astimezone(NEW_YORK).date()
        return await instruments.read_events(api, key, today)
    return await instruments.read_chain(api, key)


async def _metrics(api: TastytradeApi, resource: Resource, group: Sequence[UnitRequest]) -> Loaded:
    found = await instruments.read_metrics(api, [request.unit.key for request in group])
    unknown = "/market-metrics: the vendor does not know this symbol"
    return [
        read_unit(resource, r, found.get(r.unit.key, unknown), is_absent=r.unit.key not in found)
        for r in group
    ]


def _text(error: SourceError) -> str:
    if isinstance(error, ResponseError) and error.is_unknown:
        return f"{error.endpoint}: the vendor does not know this symbol"
    return str(error)


def _tuning(context: SourceContext) -> HostLimits:
    return HostLimits(
        requests_per_s=_positive(context, "requests_per_s", HostLimits.requests_per_s),
        in_flight=int(_positive(context, "in_flight", HostLimits.in_flight)),
        give_up_s=_positive(context, "give_up_s", _GIVE_UP_S),
    )


def _positive(context: SourceContext, name: str, usual: float) -> float:
    text = context.settings.get(name, "").strip()
    try:
        number = float(text) if text else float(usual)
    except ValueError:
        number = 0.0
    if not 0.01 <= number <= 100_000:
        raise UsageError(f"[sources.tastytrade] {name} = {text!r} is no number above 0")
    return number


def _trust(context: SourceContext) -> ssl.SSLContext | bool:
    """The machine's authorities, or those of `ca_file`."""
    file = context.settings.get("ca_file", "").strip()
    if not file:
        return True
    try:
        return ssl.create_default_context(cafile=file)
    except (OSError, ssl.SSLError) as exc:
        raise UsageError(f"[sources.tastytrade] ca_file {file}: {exc}") from exc
