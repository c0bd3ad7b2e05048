# SPDX-License-Identifier: Apache-2.0
"""What one DuckDB client sees in a published file: run by that client's own interpreter.

`python -I client_probe.py FILE SYMBOL [--until-republished]` prints one JSON object. Only the standard
library and duckdb may be imported: nothing else is installed beside an old client.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import sys
import time

import duckdb

_TERMS = "spot, strike, years, rate, dividend_yield, x, side"
_FORWARD = "spot, strike, years, rate, x, side"
_CONTRACTS = (
    "(select 100 as spot, 50 + k as strike, e / 100.0 as years, 0.04 as rate, 0.01 as dividend_yield, {x} as x,"
    " case when k % 2 = 0 then 'C' else 'P' end as side, k, e from range(0, 101, 5) as r(k), range(0, 201, 40) as s(e))"
)
"""Contracts to price: far in and out of the money, expired ones among them."""


def priced(name, terms=_TERMS, x="0.05 + k / 100.0"):
    """One scalar macro over all contracts."""
    return f"(select k, e, {name}({terms}) as v from {_CONTRACTS.format(x=x)} as c) as q"


def pricing_samples():
    """A call of every macro that prices."""
    greeks = ("price", "delta", "gamma", "vega", "theta")
    own = (*greeks, "rho", "vanna", "vomma", "charm", "greeks")
    raw = ("delta", "gamma", "vega", "theta", "rho", "vanna", "vomma", "charm")
    found = {f"main.bsm_{g}": priced(f"bsm_{g}") for g in own}
    found |= {f"main.bsm_{g}_raw": priced(f"bsm_{g}_raw") for g in raw}
    found |= {f"main.black76_{g}": priced(f"black76_{g}", _FORWARD) for g in greeks}
    paid = "greatest(0, 40 - k / 2.0) + e / 25.0"
    found |= {f"main.bsm_{n}": priced(f"bsm_{n}", x=paid) for n in ("iv", "iv_reason", "implied")}
    found |= {
        f"main.black76_{n}": priced(f"black76_{n}", _FORWARD, paid) for n in ("iv", "iv_reason")
    }
    return found


ROWS = 1000
"""How many rows of a relation are fetched; all are counted."""
SAMPLES = {
    "derived.greeks_of": "(select derived.greeks_of(1, 100, 1, 0, 0, 0.2, 1, 100, 100, 0.1, -0.1, 0.54, 0.46, 0.4, 5) as v) as q",
    "derived.halley_step": "(select derived.halley_step(0.2, 0.01, 0.4, 0.6, 0.1, 1, 0.3) as v) as q",
    "derived.newton_step": "(select derived.newton_step(0.4, 0.1, -2, 1) as v) as q",
    "derived.normal_tail": "(select derived.normal_tail(x / 10) as v from range(-10, 11) as r(x)) as q",
    "derived.normal_tail_rough": "(select derived.normal_tail_rough(x / 10) as v from range(-10, 11) as r(x)) as q",
    "derived.between_points": "(select derived.between_points(x, 0, 1, 10, 3) as v from range(11) as r(x)) as q",
    "derived.end_of_knowledge": "(select derived.end_of_knowledge('2024-05-31') as v) as q",
    "derived.intrinsic_of": "(select derived.intrinsic_of(100, 90 + x, 'P') as v from range(20) as r(x)) as q",
    "derived.implied_at": "derived.implied_at(timestamp '2030-01-01', ['{symbol} 2024-05-17T20:00:00'])",
    "derived.implied_of": "(select derived.implied_of(100, 105, 0.25, 0.04, 0.01, 1 + x / 10, 'C') as v from range(40) as r(x)) as q",
    "derived.option_quotes_at": "derived.option_quotes_at(timestamp '2030-01-01', null)",
    "derived.rates_at": "derived.rates_at(timestamp '2030-01-01')",
    "derived.snapshots_at": "derived.snapshots_at(timestamp '2030-01-01', null)",
    "derived.standard_tenors": "derived.standard_tenors()",
    "derived.units_asof": "derived.units_asof('2024-05-31', 'raw.metastock_bars')",
    "derived.volatility_at": "(select derived.volatility_at(0.2, 10, 0.3, 50, x) as v from range(60) as r(x)) as q",
    "main.beta": "(select beta('{symbol}', '{symbol}', 100) as v) as q",
    "main.chain_asof": "chain_asof('{symbol}', '2024-05-31')",
    "main.expected_move_calendar": "(select expected_move_calendar(100, 0.32, x) as v from range(60) as r(x)) as q",
    "main.expected_move_mean": "(select expected_move_mean(100, 0.32, x) as v from range(60) as r(x)) as q",
    "main.expected_move_straddle": "(select expected_move_straddle(x) as v from range(60) as r(x)) as q",
    "main.expected_move_trading": "(select expected_move_trading(100, 0.32, x) as v from range(60) as r(x)) as q",
    "main.expected_move_weighted": "(select expected_move_weighted(x, 2, 1) as v from range(60) as r(x)) as q",
    "main.forward_volatility_between": "(select forward_volatility_between(0.2, 10, 0.3, x) as v from range(60) as r(x)) as q",
    "main.interpolated_volatility": "(select interpolated_volatility(0.2, 10, 0.3, 50, x) as v from range(60) as r(x)) as q",
    "derived.standard_lookbacks": "(select unnest(derived.standard_lookbacks()) as lookback) as q",
    "derived.volatility_rows": "derived.volatility_rows([5, 20])",
    "main.eod_asof": "eod_asof('2024-05-31', '{symbol}')",
    "main.expirations": "expirations('2024-06-14', 'SPX')",
    "main.norm_cdf": "(select x, norm_cdf(x) as v from range(-38, 39) as r(x)) as q",
    "main.norm_pdf": "(select x, norm_pdf(x) as v from range(-38, 39) as r(x)) as q",
    "main.returns_stddev_asof": "returns_stddev_asof('2024-05-31', '{symbol}')",
    "main.volatility_over": "volatility_over('{symbol}', 45)",
    **pricing_samples(),
}
"""A call of each macro; one without a call fails the test."""
_DEADLINE_S = 600


def relations(con):
    """Every table and view the file holds, by schema."""
    return con.execute(
        "select schema_name, table_name from duckdb_tables() where not internal and not temporary"
        " union all select schema_name, view_name from duckdb_views() where not internal order by all"
    ).fetchall()


def macros(con):
    """Every macro the file holds."""
    return [
        f"{schema}.{name}"
        for schema, name in con.execute(
            "select distinct schema_name, function_name from duckdb_functions()"
            " where not internal and function_type in ('macro', 'table_macro') order by all"
        ).fetchall()
    ]


def seen(con, source):
    """Columns, their types, the number of rows, and a checksum of the first ones."""
    # Computed once: most of what there is to read is computed when it is read.
    con.execute(f"create or replace temp table held as select * from {source}")
    described = con.execute("describe held").fetchall()
    count = con.execute("select count(*) from held").fetchall()[0][0]
    rows = con.execute(f"select * from held order by all limit {ROWS}").fetchall()
    # Ages are told by the clock.
    told = [i for i, column in enumerate(described) if column[0] not in {"age_s", "quote_age_s"}]
    text = "\n".join("|".join(cell(row[i]) for i in told) for row in rows)
    return {
        "columns": [f"{row[0]} {row[1]}" for row in described],
        "count": count,
        "fetched": len(rows),
        "checksum": hashlib.sha256(text.encode()).hexdigest(),
    }


def cell(value):
    """A value as text, floats to nine significant digits."""
    if isinstance(value, dict):
        return " ".join(f"{name}={cell(one)}" for name, one in value.items())
    return f"{value + 0.0:.9g}" if isinstance(value, float) else str(value)


def comments(con):
    """Every comment, by what it is on."""
    return con.execute(
        "select schema_name || '.' || table_name || '.' || column_name, comment from duckdb_columns()"
        " where not internal and comment is not null order by all"
    ).fetchall()


def look(con, symbol):
    """Everything in the file, used."""
    found = {f"{s}.{n}": seen(con, f'"{s}"."{n}"') for s, n in relations(con)}
    return {
        "relations": found,
        "macros": {m: seen(con, SAMPLES[m].format(symbol=symbol)) for m in macros(con)},
        "comments": comments(con),
    }


def linked_generation(file):
    """The generation that `file` leads to at this moment."""
    return int(re.search(r"\.(\d+)\.", os.path.realpath(file).rpartition("/")[2])[1])


def main(file, symbol, until_republished=False):
    con = duckdb.connect(file, read_only=True)
    generation = int(
        con.execute("select value from catalog.meta where name = 'generation'").fetchall()[0][0]
    )
    first = look(con, symbol)
    deadline = time.monotonic() + _DEADLINE_S
    for name, known in itertools.cycle(first["relations"].items()):
        if not until_republished or linked_generation(file) != generation:
            break
        if time.monotonic() > deadline:
            sys.exit(f"nothing was published in {_DEADLINE_S} s")
        if seen(con, name) != known:
            sys.exit("an open snapshot changed under its reader")
    if until_republished and look(con, symbol) != first:
        sys.exit("an open snapshot changed when a newer one was published")
    print(json.dumps({"version": duckdb.__version__, "generation": generation, **first}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], until_republished=len(sys.argv) > 3)
