# SPDX-License-Identifier: Apache-2.0
"""What a stored table costs by its builder and by SQL: `python tests/bench/stored_tables.py FILE...`.

Each FILE is a published file, `make bench` makes one of 15,798 symbols; read, never written. A whole
rebuild, 500 changed keys and one symbol, each in a process of its own: seconds and peak memory. The SQL
is the model's body on the rows it needs, chunk by chunk as a rebuild takes them. A builder may go where
SQL takes at most twice its time in all of them, and 3 GB.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence  # noqa: TC003 - scripts keep their imports in one place
from dataclasses import replace
from pathlib import Path

import duckdb

from ttapi.models import rebuild
from ttapi.models.install import create_shape, output_columns
from ttapi.models.model import Model, macro_parts, read_model
from ttapi.sqltext import literal

SQL = Path(__file__).resolve().parents[2] / "sql"
CASES = {"whole": 0, "500 keys": 500, "one symbol": 1}
"""How many symbols; 0: all."""
MOST = 2.0
MOST_GB = 3.0


def _model(stem: str) -> Model:
    return read_model(SQL / "derived" / f"{stem}.sql", SQL, is_bundled=True)


def _newest(relation: str, sessions: int) -> str:
    return (
        f"(select b.* from {relation} as b where {{condition}}"
        f" qualify row_number() over (partition by b.symbol order by b.date desc) <= {sessions}) as"
    )


def _of_terms(body: str, terms: str) -> str:
    """`body` with the macro of the estimators in it, on `terms` alone."""
    macro = macro_parts(_model("volatility_rows")).body.replace(
        "derived.volatility_terms as", terms
    )
    macro = macro.replace("unnest(lookbacks)", "unnest(derived.standard_lookbacks())")
    return body.replace("derived.volatility_rows(derived.standard_lookbacks())", f"(\n{macro})")


def volatility_latest() -> str:
    """The body on the last 252 bars."""
    terms = _newest("derived.volatility_terms", 252)
    return _of_terms(_model("volatility_latest").body, terms)


def volatility_cone() -> str:
    """The body: it needs every bar."""
    terms = "(select b.* from derived.volatility_terms as b where {condition}) as"
    return _of_terms(_model("volatility_cone").body, terms)


BODIES: dict[str, Callable[[], str]] = {
    one.__name__: one for one in (volatility_latest, volatility_cone)
}


def _fill(
    connection: duckdb.DuckDBPyConnection, model: Model, keys: Sequence[str], way: str
) -> None:
    create_shape(
        connection, "temp table rebuilt_rows", output_columns(connection, f"({model.body})")
    )
    if way == "builder":
        rebuild._fill_keys(connection, model, keys)
        return
    sql = BODIES[model.stem]()
    for chunk in rebuild._chunks(keys):
        condition = f"b.symbol in ({', '.join(map(literal, chunk))})"
        connection.execute(
            f"insert into rebuilt_rows select * from ({sql.replace('{condition}', condition)}) as q"
        )


def one(file: str, stem: str, way: str, case: str, limit_s: float) -> dict[str, float]:
    """Seconds, peak GB and rows of one rebuild; seconds beyond `limit_s`: it was broken off."""
    connection = duckdb.connect(file, read_only=True, config={"threads": 2})
    connection.execute("set enable_progress_bar = false")
    keys = [
        k
        for (k,) in connection.execute(
            "select distinct symbol from staged.eod order by 1"
        ).fetchall()
    ]
    chosen = keys[: CASES[case]] if CASES[case] else keys
    model = replace(_model(stem), kind="table")
    if case != "whole":
        _fill(connection, model, chosen[:1], way)  # what is loaded once is no part of a key's time
    timer = threading.Timer(limit_s, connection.interrupt)
    timer.start()
    started, used = time.perf_counter(), time.process_time()
    rows = -1
    try:
        _fill(connection, model, chosen, way)
        ((rows,),) = connection.execute("select count(*) from rebuilt_rows").fetchall()
    except duckdb.InterruptException:
        pass
    taken, used = time.perf_counter() - started, time.process_time() - used
    timer.cancel()
    return {
        "seconds": taken,
        "processor": used,
        "gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "rows": rows,
    }


def _in_a_process(*words: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "--one", *words], check=True, capture_output=True, text=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> int:
    """Print a line a table and case, and what follows for each builder."""
    words = sys.argv[1:]
    if words[0] == "--one":
        print(json.dumps(one(*words[1:5], float(words[5]))))
        return 0
    stays: dict[str, bool] = dict.fromkeys(BODIES, False)
    for file in words:
        with duckdb.connect(file, read_only=True) as connection:
            ((symbols,),) = connection.execute(
                "select count(distinct symbol) from staged.eod"
            ).fetchall()
        for case, keys in CASES.items():
            for stem in BODIES:
                if keys and symbols < 2 * keys:
                    continue
                built = _in_a_process(file, stem, "builder", case, "3600")
                # Beyond three times the verdict is certain, however busy the machine.
                limit = max(30.0, 1.5 * MOST * built["seconds"])
                sql = _in_a_process(file, stem, "sql", case, str(limit))
                is_broken_off = sql["rows"] < 0
                ratio = sql["processor"] / built["processor"]
                slow = is_broken_off or ratio > MOST or sql["gb"] > MOST_GB
                stays[stem] |= slow
                assert is_broken_off or sql["rows"] == built["rows"]
                print(
                    f"{stem:18} {symbols:6,} symbols, {case:10}  builder {built['seconds']:7.2f} s"
                    f" {built['processor']:7.2f} s cpu {built['gb']:.1f} GB   sql {'>' * is_broken_off}{sql['seconds']:7.2f} s"
                    f" {sql['processor']:7.2f} s cpu {sql['gb']:.1f} GB   {ratio:5.2f} x",
                    flush=True,
                )
    for stem, is_kept in stays.items():
        print(f"{stem}: the builder {'stays' if is_kept else 'may go'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
