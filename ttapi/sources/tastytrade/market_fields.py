# SPDX-License-Identifier: Apache-2.0
"""What the vendor says of the market, field by field: instruments, chains, metrics, events.

*Units* are said column by column: the vendor mixes fractions and percent under similar names.

What the vendor says of futures, their options and cryptocurrencies, field by field.

*Units* prices are in the product's own unit (index points, USD per barrel); a move of 1 is worth
`notional_multiplier` USD.
"""

from __future__ import annotations

from ttapi.sources.contract import Column, Resource
from ttapi.sources.tastytrade.fields import columns, fields

EQUITY_FIELDS = fields("""
    symbol!                              text     the vendor's text: BRK/B
    instrument-type!                     text     Equity
    streamer-symbol                      text     dxFeed's symbol
    id=vendor_id                         whole    the vendor's number; null: not said
    description                          text     name of the company or fund
    short-description                    text     the same, short
    is-index                             flag     true: an index, which cannot be traded
    is-etf                               flag     true: an exchange-traded fund
    instrument-sub-type                  text     the vendor's
    listed-market                        text     market identifier code
    cusip                                text     CUSIP
    active                               flag     false: not traded any more
    is-illiquid                          flag     the vendor's judgement
    is-closing-only                      flag     true: may only be closed
    is-options-closing-only              flag     true: its options may only be closed
    is-fractional-quantity-eligible      flag     true: fractions of a share trade
    is-fraud-risk                        flag     the vendor's judgement
    bypass-manual-review                 flag     the vendor's
    overnight-trading-permitted          flag     true: trades overnight
    lendability                          text     Easy To Borrow, Locate Required, Preborrow
    borrow-rate                          number   as the vendor says it; null: unknown
    market-time-instrument-collection    text     which hours apply
    halted-at                            instant  UTC; null: not halted
    stops-trading-at                     instant  UTC; null: no end
    country-of-incorporation             text     country
    country-of-taxation                  text     country
    tick-sizes                           json     of the shares: value, threshold
    option-tick-sizes                    json     of its options: value, threshold
""")

METRIC_FIELDS = fields("""
    symbol!=symbol                       text     upper case, share class after a point
    updated-at!                          instant  UTC: when the vendor computed the row
    implied-volatility-index             number   fraction a year, of about 30 days
    implied-volatility-index-5-day-change number  fraction a year
    implied-volatility-index-15-day      number   fraction a year; null: not said
    implied-volatility-index-rank        number   fraction of the 52-week range
    tos-implied-volatility-index-rank    number   fraction of the 52-week range
    tw-implied-volatility-index-rank     number   fraction of the 52-week range
    tos-implied-volatility-index-rank-updated-at instant UTC
    implied-volatility-index-rank-source text     which of the two ranks is shown
    implied-volatility-percentile        number   fraction of days of the past year below
    implied-volatility-updated-at        instant  UTC
    implied-volatility-30-day=implied_volatility_30_day_pct          number  percent a year
    historical-volatility-30-day=historical_volatility_30_day_pct    number  percent a year
    historical-volatility-60-day=historical_volatility_60_day_pct    number  percent a year
    historical-volatility-90-day=historical_volatility_90_day_pct    number  percent a year
    iv-hv-30-day-difference=iv_hv_30_day_difference_pct              number  percentage points
    liquidity-value                      number   the vendor's measure
    liquidity-rank                       number   fraction
    liquidity-rating                     whole    1 to 4, more is better
    liquidity-running-state              json     the vendor's sums
    option-expiration-implied-volatilities json   by expiration: date, chain type, settlement, fraction a year
    beta                                 number   against SPY
    beta-updated-at                      instant  UTC
    corr-spy-3month                      number   correlation with SPY
    dividend-rate-per-share              number   USD per share, last payment
    annual-dividend-per-share            number   USD per share a year
    dividend-yield                       number   fraction a year
    dividend-ex-date                     date     of the last one known
    dividend-next-date                   date     of the next one; may lie years back
    dividend-pay-date                    date     of the last one known
    dividend-updated-at                  instant  UTC
    earnings.visible                     flag     true: the vendor shows them
    earnings.expected-report-date        date     next report; null: not known
    earnings.estimated                   flag     true: the date is a guess
    earnings.late-flag                   whole    the vendor's
    earnings.quarter-end-date            date     end of the reported quarter
    earnings.actual-eps                  number   USD per share
    earnings.consensus-estimate          number   USD per share
    earnings.time-of-day       text     as the vendor sends it: BMO before the open, AMC after the close; null: not said
    earnings.updated-at                  instant  UTC
    earnings-per-share                   number   USD per share a year
    price-earnings-ratio                 number   ratio
    market-cap                           number   USD
    listed-market                        text     market identifier code
    lendability                          text     Easy To Borrow, Locate Required, Preborrow
    borrow-rate                          number   as the vendor says it
    sector                               text     the vendor's
    created-at                           instant  UTC
""")

ROOT_FIELDS = fields("""
    underlying-symbol!                   text     the vendor's text
    root-symbol!=root                    text     root of the contracts' symbols
    option-chain-type!                   text     Standard; Non-standard: adjusted
    shares-per-contract!                 whole    shares a contract delivers
    tick-sizes                           json     value, threshold
    deliverables                         json     what a contract delivers
""")
EXPIRATION_FIELDS = fields("""
    expiration-date!=vendor_expiration_date date  as the vendor says it
    expiration-type                      text     Regular, Weekly, Quarterly, End-Of-Month
    settlement-type!                     text     AM or PM
""")
STRIKE_FIELDS = fields("""
    strike-price!=strike                 number   USD per share
    call                                 text     OCC symbol of the call
    put                                  text     OCC symbol of the put
    call-streamer-symbol                 text     dxFeed's symbol
    put-streamer-symbol                  text     dxFeed's symbol
""")
QUOTE_FIELDS = fields("""
    bid                                  number   USD per share; 0: nobody bids; null: not said
    ask                                  number   USD per share; null: not said
    bid-size                             number   contracts, of the underlying shares
    ask-size                             number   contracts, of the underlying shares
    mark                                 number   USD per share; null: not said, as off hours
    last                                 number   USD per share of the last trade; null: none
    volume                               number   of the session
    open-interest                        number   contracts; null: the underlying
    updated-at!=quote_time               instant  UTC: when the vendor last changed the quote
    open                                 number   USD per share of the session; null: none
    day-high-price=day_high              number   USD per share of the session; null: none
    day-low-price=day_low                number   USD per share of the session; null: none
    close                                number   USD per share of the session; null: still open
    close-price-type                     text     Final, Indicative, Preliminary, Regular, Unknown
    summary-date                         date     session of open, high, low, close
    prev-close                           number   USD per share of the session before
    prev-close-date                      date     the session before
    is-trading-halted                    flag     true: trading is halted
""")
_SYMBOL = Column("symbol", "VARCHAR", "the underlying, upper case, share class after a point")

SYMBOLS = Resource(
    name="symbols",
    table="tastytrade_symbols",
    about="Every share, fund and index the vendor lists.",
    columns=(
        _SYMBOL,
        *columns(EQUITY_FIELDS[1:]),
        Column("vendor_symbol", "VARCHAR", "the vendor's text: BRK/B"),
    ),
    grain=("symbol",),
    keys=("symbol",),
    ttl="24h",
)
CHAINS = Resource(
    name="chains",
    table="tastytrade_chains",
    about="Option chains: a row a strike with its call and its put, of every root of the underlying.",
    columns=(
        _SYMBOL,
        *columns((*ROOT_FIELDS[1:], *EXPIRATION_FIELDS, *STRIKE_FIELDS)),
        Column(
            "expiration_date",
            "DATE",
            "session on which it expires: Saturdays are moved to the session before",
        ),
    ),
    grain=("symbol", "root", "option_chain_type", "expiration_date", "settlement_type", "strike"),
    keys=("symbol",),
    requires=("symbol",),
    ttl="24h",
)
OPTION_QUOTES = Resource(
    name="option_quotes",
    table="tastytrade_option_quotes",
    one_of="option quotes",
    about="Snapshots of whole chains: a row a contract and one of the underlying, each asking is kept.",
    columns=(
        _SYMBOL,
        Column("snapshot", "VARCHAR", "symbol and snapshot_at: SPY 2024-06-14T20:00:00"),
        Column("snapshot_at", "TIMESTAMP", "UTC: when the vendor was asked, whole seconds"),
        Column("contract", "VARCHAR", "OCC symbol; symbol: the underlying's own row"),
        Column("root", "VARCHAR", "root of the contract's symbol; null: the underlying"),
        Column(
            "expiration_date",
            "DATE",
            "session on which it expires: Saturdays are moved to the session before",
        ),
        Column("contract_expiration_date", "DATE", "as the vendor says it; null: the underlying"),
        Column("settlement", "VARCHAR", "AM or PM; null: the underlying"),
        Column("strike", "DOUBLE", "USD per share; null: the underlying"),
        Column("option_type", "VARCHAR", "C or P; null: the underlying"),
        Column("exercise_style", "VARCHAR", "A: American; E: European; null: not known"),
        Column("multiplier", "BIGINT", "shares a contract delivers; null: the underlying"),
        Column("is_adjusted", "BOOLEAN", "true: a corporate action changed what it delivers"),
        *columns(QUOTE_FIELDS),
    ),
    grain=("snapshot", "contract"),
    keys=("symbol",),
    tracked="snapshot",
    requires=("symbol",),
    mode="merge",
    is_bound_only=True,
    ttl="5m",
    max_stale="15m",
)
METRICS = Resource(
    name="market_metrics",
    table="tastytrade_market_metrics",
    about="Implied volatility, its rank, liquidity, dividends, the next report; each update is kept.",
    columns=columns(METRIC_FIELDS),
    grain=("symbol", "updated_at"),
    keys=("symbol",),
    requires=("symbol",),
    # Beyond some hundreds the vendor refuses the address as too long.
    units_a_call=100,
    mode="merge",
    ttl="1h",
)
EVENTS = Resource(
    name="events",
    table="tastytrade_events",
    about="Dividends and quarterly results that have happened.",
    columns=(
        _SYMBOL,
        Column("date", "DATE", "ex-date of a dividend; day of the report"),
        Column("type", "VARCHAR", "dividend or earnings"),
        Column("amount", "DOUBLE", "USD per share; null: results"),
        Column("earnings_per_share", "DOUBLE", "USD per share; null: a dividend"),
    ),
    grain=("symbol", "date", "type"),
    keys=("symbol",),
    requires=("symbol",),
    ttl="24h",
)
WATCHLISTS = Resource(
    name="watchlists",
    table="tastytrade_watchlists",
    about="The vendor's public lists of symbols.",
    columns=(
        Column("name", "VARCHAR", "of the list"),
        _SYMBOL,
        Column("group_name", "VARCHAR", "the vendor's group of lists; null: none"),
        Column("instrument_type", "VARCHAR", "Equity and the like; null: not said"),
    ),
    grain=("name", "symbol"),
    keys=("symbol",),
    ttl="24h",
)
SEARCH = Resource(
    name="symbol_search",
    table="tastytrade_symbol_search",
    about="What the vendor finds for the beginning of a symbol.",
    columns=(
        Column("prefix", "VARCHAR", "what was searched for, as it was written"),
        Column("symbol", "VARCHAR", "what was found, in the vendor's text: BRK/B"),
        Column("description", "VARCHAR", "name of the company or fund"),
        Column("listed_market", "VARCHAR", "market identifier code; null: not said"),
        Column("instrument_type", "VARCHAR", "Equity and the like; null: not said"),
        Column("has_options", "BOOLEAN", "true: options are listed on it; null: not said"),
    ),
    grain=("prefix", "symbol"),
    keys=("prefix",),
    requires=("prefix",),
    ttl="24h",
)


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
FUTURE_EXPIRATION_FIELDS = fields("""
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
FUTURE_STRIKE_FIELDS = fields("""
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
        *columns((*SUBCHAIN_FIELDS, *FUTURE_EXPIRATION_FIELDS, *FUTURE_STRIKE_FIELDS)),
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
