# SPDX-License-Identifier: Apache-2.0
"""The user's accounts, read: each resource is one unit of all accounts, whole or not at all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ttapi.sources.tastytrade.account_tables import (
    ACCOUNT_FIELDS,
    BALANCE_EFFECTS,
    BALANCE_FIELDS,
    POSITION_EFFECTS,
    POSITION_FIELDS,
    TRANSACTION_EFFECTS,
    TRANSACTION_FIELDS,
)
from ttapi.sources.tastytrade.fields import Document, Field, signed
from ttapi.sources.tastytrade.rows import Content

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ttapi.sources.exchange import Response
    from ttapi.sources.tastytrade.api import TastytradeApi

UNIT = "me"
_ACCOUNTS = "/customers/me/accounts"


async def read_accounts(api: TastytradeApi) -> Content:
    """A row an account; what the user may do with it stands beside it."""
    documents, response = await _documents(api)
    content = Content()
    with api.reading(response):
        content.read(documents, ACCOUNT_FIELDS)
    return content


async def read_balances(api: TastytradeApi) -> Content:
    """A row an account and currency."""
    return await _of_each(api, "balances", BALANCE_FIELDS, BALANCE_EFFECTS, finish=_with_currency)


async def read_positions(api: TastytradeApi) -> Content:
    """A row a position; short ones below zero."""
    return await _of_each(
        api,
        "positions",
        POSITION_FIELDS,
        POSITION_EFFECTS,
        finish=_with_direction,
        params=(("include-marks", "true"),),
    )


async def read_transactions(api: TastytradeApi) -> Content:
    """A row a transaction, of all pages."""
    return await _of_each(api, "transactions", TRANSACTION_FIELDS, TRANSACTION_EFFECTS)


async def _documents(api: TastytradeApi) -> tuple[list[Document], Response]:
    """The accounts, the authority over each beside its own fields; and the answer they came in."""
    items, response = await api.many(_ACCOUNTS)
    found = []
    for item in items:
        account = item.get("account") if isinstance(item, dict) else None
        if not isinstance(account, dict):
            raise api.refused(response, "field 'items[].account' is no object")
        found.append({**account, "authority-level": item.get("authority-level")})
    return found, response


def _unchanged(row: Document, _: Document) -> Document:
    return row


async def _of_each(
    api: TastytradeApi,
    what: str,
    table: tuple[Field, ...],
    effects: Mapping[str, str],
    *,
    finish: Any = _unchanged,
    params: tuple[tuple[str, str], ...] = (),
) -> Content:
    documents, _ = await _documents(api)
    numbers = [str(account.get("account-number")) for account in documents]
    answers = await asyncio.gather(
        *(
            api.many(f"/accounts/{number}/{what}", f"/accounts/{{account}}/{what}", params)
            for number in numbers
        )
    )

    def complete(row: Document, document: Document) -> Iterable[Document]:
        return [finish(signed(row, document, effects), document)]

    content = Content()
    known = frozenset(effects.values())
    for items, response in answers:
        with api.reading(response):
            content.read(items, table, known=known, complete=complete)
    return content


def _with_currency(row: Document, _: Document) -> Document:
    row["currency"] = row["currency"] or "USD"
    return row


def _with_direction(row: Document, _: Document) -> Document:
    size = abs(row["quantity"])
    row["quantity"] = {"Short": -size, "Zero": 0.0}.get(row["quantity_direction"], size)
    return row
