# SPDX-License-Identifier: Apache-2.0
"""The user's accounts, read: each resource is one unit of all accounts, whole or not at all.

What the vendor says of the user's own accounts, field by field; all of it is private.

*Units* money in USD unless the row's currency says otherwise, exact to six places. Where the vendor
sends a magnitude and its effect, a debit is below zero here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttapi.sources.contract import Resource
from ttapi.sources.tastytrade.fields import Content, Document, Field, columns, fields, signed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ttapi.sources.http import Response
    from ttapi.sources.tastytrade.api import TastytradeApi

ACCOUNT_FIELDS = fields("""
    account-number!                 text     the account
    authority-level                 text     what the user may do with it
    nickname                        text     the user's own name for it
    account-type-name               text     Individual, Joint, IRA and the like
    is-closed                       flag     true: closed
    closed-at                       instant  UTC; null: open
    opened-at                       instant  UTC
    created-at                      instant  UTC
    day-trader-status               text     true, false or the vendor's word
    is-firm-error                   flag     the vendor's own
    is-firm-proprietary             flag     the vendor's own
    is-futures-approved             flag     true: may trade futures
    is-foreign                      flag     true: held from outside the USA
    is-test-drive                   flag     true: no real account
    margin-or-cash                  text     Margin or Cash
    external-id                     text     the vendor's
    external-fdid                   text     the vendor's
    ext-crm-id                      text     the vendor's
    funding-date                    date     first deposit; null: none
    investment-objective            text     as declared
    liquidity-needs                 text     as declared
    risk-tolerance                  text     as declared
    investment-time-horizon         text     as declared
    futures-account-purpose         text     as declared
    suitable-options-level          text     which option trades are allowed
    submitting-user-id              text     the vendor's
    regulatory-domain               text     the vendor's
""")

BALANCE_FIELDS = fields("""
    account-number!                              text     the account
    currency                                     text     of every amount; null: USD
    cash-balance!                                money    below zero: owed
    net-liquidating-value!                       money    what closing everything at the mark would leave
    equity-buying-power                          money    for shares
    derivative-buying-power                      money    for options
    day-trading-buying-power                     money    within the day
    used-derivative-buying-power                 money    bound by options
    effective-cryptocurrency-buying-power        money    for cryptocurrencies
    available-trading-funds                      money    free for new trades
    cash-available-to-withdraw                   money    free to leave
    pending-cash                                 money    not settled; a debit is below zero
    long-equity-value                            money    shares held
    short-equity-value                           money    shares owed, magnitude
    long-derivative-value                        money    options held
    short-derivative-value                       money    options owed, magnitude
    long-index-derivative-value                  money    index options held
    short-index-derivative-value                 money    index options owed, magnitude
    long-futures-value                           money    futures held
    short-futures-value                          money    futures owed, magnitude
    long-futures-derivative-value                money    options on futures held
    short-futures-derivative-value               money    options on futures owed, magnitude
    long-margineable-value                       money    lendable holdings
    short-margineable-value                      money    lendable debts, magnitude
    long-cryptocurrency-value                    money    cryptocurrencies held
    short-cryptocurrency-value                   money    cryptocurrencies owed, magnitude
    long-bond-value                              money    bonds held
    long-fixed-income-security-value             money    fixed income held
    margin-equity                                money    equity that margin is counted on
    maintenance-requirement                      money    to keep what is held
    maintenance-excess                           money    equity above that; below zero: a call
    maintenance-call-value                       money    call outstanding
    reg-t-margin-requirement                     money    to open what is held
    reg-t-call-value                             money    call outstanding
    day-trading-call-value                       money    call outstanding
    day-equity-call-value                        money    call outstanding
    day-trade-excess                             money    above what day trading asks
    futures-margin-requirement                   money    of futures
    futures-overnight-margin-requirement         money    of futures, overnight
    futures-intraday-margin-requirement          money    of futures, within the day
    equity-offering-margin-requirement           money    of offerings
    bond-margin-requirement                      money    of bonds
    fixed-income-security-margin-requirement     money    of fixed income
    cryptocurrency-margin-requirement            money    of cryptocurrencies
    pending-margin-interest                      money    accrued, not charged
    unsettled-cryptocurrency-fiat-amount         money    a debit is below zero
    closed-loop-available-balance                money    may only leave the way it came
    total-settle-balance                         money    settled cash
    apex-starting-day-margin-equity              money    of the clearing house, at the start of the day
    buying-power-adjustment                      money    a debit is below zero
    sma-equity-option-buying-power               money    of the special memorandum account
    special-memorandum-account-value             money    of the special memorandum account
    special-memorandum-account-apex-adjustment   money    of the clearing house
    time-of-day                                  text     BOD or EOD of a snapshot; null: now
    snapshot-date                                date     the day it stands for
    updated-at                                   instant  UTC
""")
BALANCE_EFFECTS = {
    "pending_cash": "pending-cash-effect",
    "unsettled_cryptocurrency_fiat_amount": "unsettled-cryptocurrency-fiat-effect",
    "buying_power_adjustment": "buying-power-adjustment-effect",
}

POSITION_FIELDS = fields("""
    account-number!                      text     the account
    symbol!                              text     the vendor's text of what is held
    instrument-type!                     text     Equity, Equity Option and the like
    underlying-symbol                    text     the vendor's text of the underlying
    streamer-symbol                      text     dxFeed's symbol; null: not said
    quantity!                            number   shares or contracts, below zero: short
    quantity-direction                   text     Long, Short or Zero
    restricted-quantity                  number   of them not free; shares or contracts
    multiplier                           number   shares a contract stands for, 1 for shares
    average-open-price                   number   USD per share
    close-price                          number   USD per share, last close
    mark                                 money    what the position is worth, USD
    mark-price                           number   USD per share
    average-yearly-market-close-price    number   USD per share
    average-daily-market-close-price     number   USD per share
    fixing-price                         number   USD per share; null: none
    cost-effect                          text     Credit or Debit: what closing it would be
    is-suppressed                        flag     true: hidden by the vendor
    is-frozen                            flag     true: cannot be traded
    deliverable-type                     text     of an adjusted option; null: none
    realized-day-gain                    money    a debit is below zero
    realized-day-gain-date               date     the day of that
    realized-today                       money    a debit is below zero
    realized-today-date                  date     the day of that
    expires-at                           instant  UTC; null: never
    created-at                           instant  UTC
    updated-at                           instant  UTC
""")
POSITION_EFFECTS = {
    "realized_day_gain": "realized-day-gain-effect",
    "realized_today": "realized-today-effect",
}

TRANSACTION_FIELDS = fields("""
    id!                                  whole    the vendor's number of the transaction
    account-number!                      text     the account
    transaction-date!=date               date     the exchange's day
    executed-at                          instant  UTC
    transaction-type=type                text     Trade, Money Movement, Receive Deliver
    transaction-sub-type=sub_type        text     Buy to Open, Dividend, Expiration and the like
    action                               text     what was done; null: no trade
    description                          text     in the vendor's words
    symbol                               text     what was traded; null: cash alone
    instrument-type                      text     of that
    underlying-symbol                    text     of that
    quantity                             number   shares or contracts, magnitude
    price                                number   USD per share
    value                                money    USD before fees; a debit is below zero
    net-value                            money    USD after fees; a debit is below zero
    commission                           money    USD; a debit is below zero
    clearing-fees                        money    USD; a debit is below zero
    regulatory-fees                      money    USD; a debit is below zero
    proprietary-index-option-fees        money    USD; a debit is below zero
    other-charge                         money    USD; a debit is below zero
    order-id                             whole    the vendor's number of the order; null: none
    leg-count                            whole    legs of that order
    is-estimated-fee                     flag     true: fees may change
    currency                             text     of the amounts; null: USD
    exchange                             text     where it was filled
    exec-id                              text     of the fill
    destination-venue                    text     where it was sent
    reverses-id                          whole    the transaction that this one takes back; null: none
""")
TRANSACTION_EFFECTS = {
    "value": "value-effect",
    "net_value": "net-value-effect",
    "commission": "commission-effect",
    "clearing_fees": "clearing-fees-effect",
    "regulatory_fees": "regulatory-fees-effect",
    "proprietary_index_option_fees": "proprietary-index-option-fees-effect",
    "other_charge": "other-charge-effect",
}

ACCOUNTS = Resource(
    name="accounts",
    table="tastytrade_accounts",
    about="The user's accounts.",
    columns=columns(ACCOUNT_FIELDS),
    grain=("account_number",),
    ttl="1h",
    is_private=True,
)
BALANCES = Resource(
    name="balances",
    table="tastytrade_balances",
    about="What each account is worth, a row a currency; superseded ones are kept.",
    columns=columns(BALANCE_FIELDS),
    grain=("account_number", "currency"),
    ttl="1h",
    is_private=True,
)
POSITIONS = Resource(
    name="positions",
    table="tastytrade_positions",
    about="What each account holds; positions that are gone are kept as they last were.",
    columns=columns(POSITION_FIELDS),
    grain=("account_number", "symbol", "instrument_type"),
    ttl="1h",
    is_private=True,
)
TRANSACTIONS = Resource(
    name="transactions",
    table="tastytrade_transactions",
    about="What happened in each account.",
    columns=columns(TRANSACTION_FIELDS),
    grain=("account_number", "id"),
    mode="merge",
    ttl="1h",
    is_private=True,
)


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
    import asyncio  # noqa: PLC0415 - the tables are read without it

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
