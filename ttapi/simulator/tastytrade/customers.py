# SPDX-License-Identifier: Apache-2.0
"""The customer, the accounts, and what is in them.

What an account is worth, in the many fields of the vendor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttapi.simulator.derivatives.chain import settles_at
from ttapi.simulator.events import ChainExpiration
from ttapi.simulator.tastytrade.credentials import EMAIL, USER_ID
from ttapi.simulator.tastytrade.wire import (
    ApiCall,
    ApiError,
    Document,
    Reply,
    TastytradeService,
    decimal,
    filled,
    get,
    instant,
    many,
    one,
    paged,
)

if TYPE_CHECKING:
    from ttapi.simulator.accounts import Account, Position, Transaction

_ZEROS = (
    "long-futures-value",
    "short-futures-value",
    "long-futures-derivative-value",
    "short-futures-derivative-value",
    "futures-margin-requirement",
    "maintenance-call-value",
    "reg-t-call-value",
    "day-trading-call-value",
    "day-equity-call-value",
    "pending-cash",
    "long-cryptocurrency-value",
    "short-cryptocurrency-value",
    "cryptocurrency-margin-requirement",
    "unsettled-cryptocurrency-fiat-amount",
    "equity-offering-margin-requirement",
    "long-bond-value",
    "bond-margin-requirement",
    "futures-overnight-margin-requirement",
    "futures-intraday-margin-requirement",
    "pending-margin-interest",
    "buying-power-adjustment",
)
_EFFECTS = (
    "pending-cash-effect",
    "unsettled-cryptocurrency-fiat-effect",
    "buying-power-adjustment-effect",
)


def balance_document(service: TastytradeService, account: Account) -> Document:
    """The account's only row: USD."""
    positions = service.accounts.positions(account)
    cash = service.accounts.cash(account)
    long_shares, short_shares = (
        _value(positions, is_option=False, is_long=x) for x in (True, False)
    )
    long_options, short_options = (
        _value(positions, is_option=True, is_long=x) for x in (True, False)
    )
    worth = cash + long_shares - short_shares + long_options - short_options
    # Half of the shares and a fifth of what short options stand for: near enough to Reg T.
    margin = (0.5 if account.is_margin else 1.0) * long_shares + 5 * short_options
    free = max(0.0, worth - margin)
    amounts: dict[str, float] = {
        **dict.fromkeys(_ZEROS, 0.0),
        "cash-balance": cash,
        "long-equity-value": long_shares,
        "short-equity-value": short_shares,
        "long-derivative-value": long_options,
        "short-derivative-value": short_options,
        "long-margineable-value": long_shares if account.is_margin else 0.0,
        "short-margineable-value": 0.0,
        "margin-equity": worth,
        "equity-buying-power": free * (2 if account.is_margin else 1),
        "derivative-buying-power": free,
        "day-trading-buying-power": free * 4 if account.is_margin else 0.0,
        "available-trading-funds": free,
        "maintenance-requirement": margin,
        "net-liquidating-value": worth,
        "cash-available-to-withdraw": max(0.0, min(cash, free)),
        "day-trade-excess": free,
        "closed-loop-available-balance": max(0.0, min(cash, free)),
        "used-derivative-buying-power": 5 * short_options,
        "reg-t-margin-requirement": margin,
        "maintenance-excess": free,
        "effective-cryptocurrency-buying-power": free,
    }
    return {
        "account-number": account.number,
        "currency": "USD",
        **{name: decimal(amount, 3) for name, amount in amounts.items()},
        **dict.fromkeys(_EFFECTS, "None"),
        "snapshot-date": service.market.today.isoformat(),
        "updated-at": instant(service.market.now),
    }


def _value(positions: list[Position], *, is_option: bool, is_long: bool) -> float:
    """USD of the positions of one kind and direction, never negative."""
    return sum(
        abs(position.market_value)
        for position in positions
        if (position.contract is not None) == is_option and (position.quantity > 0) == is_long
    )


_ADDRESS: Document = {
    "street-one": "1 Simulated Street",
    "city": "Chicago",
    "state-region": "IL",
    "postal-code": "60601",
    "country": "USA",
    "is-foreign": False,
    "is-domestic": True,
}
# Inside this list alone the vendor writes keys with underscores.
_ACCOUNT_TYPES: list[Document] = [
    {
        "name": "Individual",
        "description": "Individual",
        "is_tax_advantaged": False,
        "is_publicly_available": True,
        "has_multiple_owners": False,
        "margin_types": [
            {"name": "Reg T", "is_margin": True},
            {"name": "Cash", "is_margin": False},
        ],
    }
]
_DIRECTIONS = {True: "Long", False: "Short"}


def _customer(service: TastytradeService, call: ApiCall) -> Reply:
    opened = service.accounts.accounts()[0].opened_at
    data: Document = {
        "id": "me",
        "external-id": USER_ID,
        "first-name": "Sim",
        "last-name": "Ulated",
        "address": _ADDRESS,
        "mailing-address": _ADDRESS,
        "customer-suitability": None,
        "is-foreign": False,
        "usa-citizenship-type": "Citizen",
        "mobile-phone-number": "15555550100",
        "birth-date": "1980-01-01",
        "email": EMAIL,
        "tax-number-type": "SSN",
        "subject-to-tax-withholding": False,
        "agreed-to-margining": True,
        "agreed-to-terms": True,
        "has-industry-affiliation": False,
        "has-listed-affiliation": False,
        "has-political-affiliation": False,
        "has-delayed-quotes": False,
        "has-pending-or-approved-application": True,
        "is-professional": False,
        "permitted-account-types": _ACCOUNT_TYPES,
        "identifiable-type": "Person",
        "created-at": instant(opened),
    }
    return one(call, filled(data))


def _accounts(service: TastytradeService, call: ApiCall) -> Reply:
    return many(
        call,
        [
            {"account": _account_document(account), "authority-level": "owner"}
            for account in service.accounts.accounts()
        ],
    )


def _account(service: TastytradeService, call: ApiCall) -> Reply:
    return one(call, _account_document(_find(service, call)))


def _balances(service: TastytradeService, call: ApiCall) -> Reply:
    return many(call, [balance_document(service, _find(service, call))])


def _balance(service: TastytradeService, call: ApiCall) -> Reply:
    account = _find(service, call)
    if call.params["currency"] != "USD":
        raise ApiError(404, "not_found", f"No balance in {call.params['currency']}")
    return one(call, balance_document(service, account))


def _positions(service: TastytradeService, call: ApiCall) -> Reply:
    account = _find(service, call)
    underlyings, symbol = call.values("underlying-symbol"), call.value("symbol")
    kind = call.value("instrument-type")
    shown = [
        _position_document(account, position, with_mark=bool(call.flag("include-marks")))
        for position in service.accounts.positions(account)
        if (not underlyings or position.underlying in underlyings)
        and symbol in {None, position.symbol}
    ]
    return many(call, [item for item in shown if kind in {None, item["instrument-type"]}])


def _transactions(service: TastytradeService, call: ApiCall) -> Reply:
    account = _find(service, call)
    since, until = call.day("start-date"), call.day("end-date")
    kinds, sub_kinds = call.values("type", "types"), call.values("sub-type")
    symbol, underlying = call.value("symbol"), call.value("underlying-symbol")
    found = [
        item
        for item in service.accounts.transactions(account)
        if (since is None or item.executed_at.date() >= since)
        and (until is None or item.executed_at.date() <= until)
        and (not kinds or item.kind in kinds)
        and (not sub_kinds or item.sub_kind in sub_kinds)
        and symbol in {None, item.symbol}
        and underlying in {None, item.underlying}
    ]
    if (call.value("sort") or "Desc") == "Desc":
        found.reverse()
    return paged(call, found, lambda item: _transaction_document(account, item), per_page=250)


def _transaction(service: TastytradeService, call: ApiCall) -> Reply:
    account, wanted = _find(service, call), call.params["id"]
    for item in service.accounts.transactions(account):
        if str(item.id) == wanted:
            return one(call, _transaction_document(account, item))
    raise ApiError(404, "not_found", f"Couldn't find transaction {wanted}")


def _find(service: TastytradeService, call: ApiCall) -> Account:
    account = service.accounts.find(call.params["account"])
    if account is None:
        # A stranger's account and none at all look the same from outside.
        raise ApiError(403, "not_permitted", "User not permitted access")
    return account


def _account_document(account: Account) -> Document:
    return {
        "account-number": account.number,
        "external-id": f"A{account.number}",
        "opened-at": instant(account.opened_at),
        "nickname": account.nickname,
        "account-type-name": account.account_type,
        "day-trader-status": False,
        "is-closed": False,
        "is-firm-error": False,
        "is-firm-proprietary": False,
        "is-futures-approved": account.is_margin,
        "is-test-drive": False,
        "margin-or-cash": "Margin" if account.is_margin else "Cash",
        "is-foreign": False,
        "funding-date": account.opened_at.date().isoformat(),
        "investment-objective": "SPECULATION",
        "suitable-options-level": "No Restrictions"
        if account.is_margin
        else "Covered And Cash Secured",
        "created-at": instant(account.opened_at),
    }


def _position_document(account: Account, position: Position, *, with_mark: bool) -> Document:
    contract = position.contract
    expires = contract and settles_at(ChainExpiration(contract.expiration, "PM", "monthly", ()))
    is_long = position.quantity > 0
    return filled(
        {
            "account-number": account.number,
            "symbol": position.symbol,
            "instrument-type": "Equity Option" if contract else "Equity",
            "underlying-symbol": position.underlying,
            "streamer-symbol": contract.streamer_symbol if contract else position.symbol,
            "quantity": f"{abs(position.quantity):g}",
            "quantity-direction": _DIRECTIONS[is_long],
            "close-price": decimal(position.close_price),
            "average-open-price": decimal(position.average_open_price, 4),
            "average-yearly-market-close-price": decimal(position.average_open_price, 4),
            "average-daily-market-close-price": decimal(position.close_price),
            "mark": decimal(abs(position.market_value)) if with_mark else None,
            "mark-price": decimal(position.mark) if with_mark else None,
            "multiplier": position.multiplier,
            "cost-effect": "Credit" if is_long else "Debit",
            "is-suppressed": False,
            "is-frozen": False,
            "restricted-quantity": "0.0",
            "expires-at": instant(expires) if expires else None,
            "realized-day-gain": "0.0",
            "realized-day-gain-effect": "None",
            "realized-day-gain-date": position.updated_at.date().isoformat(),
            "realized-today": "0.0",
            "realized-today-effect": "None",
            "realized-today-date": position.updated_at.date().isoformat(),
            "created-at": instant(position.opened_at),
            "updated-at": instant(position.updated_at),
        }
    )


def _transaction_document(account: Account, item: Transaction) -> Document:
    commission, clearing, regulatory = item.fees
    is_trade = item.kind == "Trade"
    document: Document = {
        "id": item.id,
        "account-number": account.number,
        "symbol": item.symbol,
        "instrument-type": ("Equity Option" if item.contract else "Equity")
        if item.symbol
        else None,
        "underlying-symbol": item.underlying,
        "transaction-type": item.kind,
        "transaction-sub-type": item.sub_kind,
        "description": item.description,
        "action": item.sub_kind if is_trade else None,
        "quantity": f"{item.quantity:g}" if is_trade else None,
        "price": decimal(item.price) if is_trade else None,
        "executed-at": instant(item.executed_at),
        "transaction-date": item.executed_at.date().isoformat(),
        **_effect("value", item.value),
        **_effect("net-value", item.net_value),
        "is-estimated-fee": True,
    }
    if is_trade:
        document |= {
            **_effect("regulatory-fees", -regulatory),
            **_effect("clearing-fees", -clearing),
            **_effect("commission", -commission),
            **_effect("proprietary-index-option-fees", 0.0),
        }
    return filled(document)


def _effect(name: str, amount: float) -> Document:
    """Magnitude and direction: the vendor sends no negative amounts."""
    effect = "Credit" if amount > 0 else "Debit" if amount < 0 else "None"
    return {name: decimal(abs(amount), 3), f"{name}-effect": effect}


ENDPOINTS = (
    get("/customers/me", _customer),
    get("/customers/me/accounts", _accounts),
    get("/customers/me/accounts/{account}", _account),
    get("/accounts/{account}/balances", _balances),
    get("/accounts/{account}/balances/{currency}", _balance),
    get("/accounts/{account}/positions", _positions),
    get("/accounts/{account}/transactions", _transactions),
    get("/accounts/{account}/transactions/{id}", _transaction),
)
