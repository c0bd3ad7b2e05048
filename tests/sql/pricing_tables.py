# SPDX-License-Identifier: Apache-2.0
"""Option terms as Arrow tables, for macros that are asked of many contracts at once."""

from __future__ import annotations

import pyarrow as pa

NAMES = ("spot", "strike", "years", "rate", "yield", "x", "type")
"""`x` is the volatility or the price."""


def table_of(rows):
    """Terms in the order of the macros' parameters, numbered by `n`."""
    columns = dict(zip(NAMES, map(list, zip(*rows, strict=True)), strict=True))
    kinds = {name: pa.string() if name == "type" else pa.float64() for name in NAMES}
    return pa.table(
        {name: pa.array(column, kinds[name]) for name, column in columns.items()}
        | {"n": range(len(rows))}
    )


def ask_each(con, expressions, rows, names=NAMES):
    """The values of `expressions`, a text of several, for each contract in order; `{}` stands for its terms."""
    con.register("terms", table_of(rows))
    asked = expressions.replace("{}", f"({', '.join(names)})")
    found = con.execute(f"select n, {asked} from terms order by n").fetchall()
    con.unregister("terms")
    assert len(found) == len(rows)
    return [row[1:] for row in found]
