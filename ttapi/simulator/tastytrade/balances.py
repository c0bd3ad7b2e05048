# SPDX-License-Identifier: Apache-2.0
"""What an account is worth, in the many fields of the vendor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttapi.simulator.tastytrade.wire import Document, decimal, instant

if TYPE_CHECKING:
    from ttapi.simulator.accounts import Account, Position
    from ttapi.simulator.tastytrade.service import TastytradeService

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
