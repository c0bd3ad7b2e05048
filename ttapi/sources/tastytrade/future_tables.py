# SPDX-License-Identifier: Apache-2.0
"""What the vendor says of futures, their options and cryptocurrencies, field by field.

*Units* prices are in the product's own unit (index points, USD per barrel); a move of 1 is worth
`notional_multiplier` USD.
"""

from __future__ import annotations

from ttapi.sources.contract import Column, Resource
from ttapi.sources.tastytrade.fields import columns, fields

FUTURE_FIELDS = fields("""
    symbol!                              text     the vendor's text: /ESZ6
    product-code!                        text     ES, without a slash
    streamer-symbol                      text     dxFeed's symbol: /ESZ26:XCME
    exchange!                            text     the vendor's: CME, CFE, SMALLS
    exchange-symbol                      text     the exchange's text of the contract
    streamer-exchange-code!              text     market identifier code, dxFeed's ending
    future-product.description=product_description text name of the product; null: not said
    product-group!                       text     the vendor's
    expiration-date!                     date     last day
    last-trade-date!                     date     last day it trades
    first-notice-date                    date     from when on it may be delivered; null: settled in cash, or not said
    closing-only-date                    date     from when on it may only be closed; null: not said
    stops-trading-at!                    instant  UTC
    expires-at!                          instant  UTC
    active!                              flag     false: not traded any more
    active-month!                        flag     true: the contract the vendor shows first
    next-active-month!                   flag     true: the one after that
    is-closing-only!                     flag     true: may only be closed
    is-tradeable                         flag     true: may be traded through the vendor; null: not said
    back-month-first-calendar-symbol!    flag     true: of a calendar spread the later month is named first
    roll-target-symbol                   text     the contract one rolls into; null: not said
    true-underlying-symbol               text     of a contract that follows another; null: not said
    tick-size!                           number   smallest step of the price
    notional-multiplier!                 number   USD for a move of 1
    contract-size                        number   units of the underlying a contract stands for; null: not said
    display-factor!                      number   by which the vendor's price is multiplied to be shown
    main-fraction                        number   of prices quoted in fractions; 0: none
    sub-fraction                         number   of prices quoted in fractions; 0: none
    security-id                          text     the exchange's number
    instrument-type                      text     Future; null: the vendor leaves it out
    tick-sizes                           json     of the future: value, threshold
    option-tick-sizes                    json     of its options: value, threshold
    spread-tick-sizes                    json     of its spreads: value, symbol
    future-etf-equivalent                json     the fund that moves alike, and how many shares of it
    future-product                       json     the product as the vendor says it: months, roll, sector
""")

UNDERLYING_FIELDS = fields("""
    symbol!=underlying_symbol                   text  the vendor's text
    streamer-symbol=underlying_streamer_symbol  text  dxFeed's symbol
    expiration-date=underlying_expiration_date  date  last day of the future
    maturity-date=underlying_maturity_date      date  of the future
    active-month=is_underlying_active_month     flag  true: the future the vendor shows first
""")
SUBCHAIN_FIELDS = fields("""
    root-symbol!                         text     root of the product: /ES
    exercise-style!                      text     American or European
""")
EXPIRATION_FIELDS = fields("""
    underlying-symbol!                   text     the future it delivers: /ESZ6
    option-root-symbol!                  text     root of the options: EW3
    option-contract-symbol!              text     root, month and year: EW3N4
    asset!                               text     the vendor's
    expiration-date!                     date     last day, as the vendor says it
    expires-at!                          instant  UTC
    stops-trading-at!                    instant  UTC
    expiration-type!                     text     Regular, Weekly, End-Of-Month: the vendor's word
    settlement-type!                     text     AM or PM
    notional-value!                      number   USD, the vendor's
    display-factor!                      number   by which the vendor's price is multiplied to be shown
    strike-factor!                       number   by which a strike is multiplied to be shown
    tick-sizes!                          json     value, threshold
""")
STRIKE_FIELDS = fields("""
    strike-price!=strike                 number   in the future's price
    call                                 text     the vendor's text of the call
    put                                  text     the vendor's text of the put
    call-streamer-symbol                 text     dxFeed's symbol
    put-streamer-symbol                  text     dxFeed's symbol
""")

COIN_FIELDS = fields("""
    symbol!                              text     the vendor's text: BTC/USD
    streamer-symbol!                     text     dxFeed's symbol: BTC/USD:CXTALP
    id!=vendor_id                        whole    the vendor's number
    instrument-type!                     text     Cryptocurrency
    short-description!                   text     name
    description!                         text     name of the pair
    active!                              flag     false: not traded any more
    is-closing-only!                     flag     true: may only be closed
    tick-size!                           number   USD, smallest step of the price
    destination-venue-symbols!           json     where it can be traded: symbol, venue, precisions
""")
_PRODUCT = Column("product_code", "VARCHAR", "product of the future, without a slash: ES")

FUTURES = Resource(
    name="futures",
    table="tastytrade_futures",
    about="Every future the vendor lists that still trades.",
    columns=columns(FUTURE_FIELDS),
    grain=("symbol",),
    keys=("symbol",),
    ttl="24h",
)
FUTURE_OPTIONS = Resource(
    name="future_options",
    table="tastytrade_future_options",
    about="Options on futures: a row a strike with its call and its put, of every root of the product.",
    columns=(
        _PRODUCT,
        *columns((*SUBCHAIN_FIELDS, *EXPIRATION_FIELDS, *STRIKE_FIELDS)),
        *columns(UNDERLYING_FIELDS[1:])[:-1],
    ),
    grain=("product_code", "option_contract_symbol", "expiration_date", "strike"),
    keys=("product_code",),
    requires=("product_code",),
    ttl="24h",
)
CRYPTOCURRENCIES = Resource(
    name="cryptocurrencies",
    table="tastytrade_cryptocurrencies",
    about="Every cryptocurrency the vendor lists.",
    columns=columns(COIN_FIELDS),
    grain=("symbol",),
    keys=("symbol",),
    ttl="24h",
)
