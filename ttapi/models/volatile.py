# SPDX-License-Identifier: Apache-2.0
"""What in a piece of SQL answers differently though no data changed: clocks, chance, the session."""

from __future__ import annotations

from sqlglot import exp

from ttapi.models.references import parse_statements, references_in

_NODES = (
    exp.CurrentDate, exp.CurrentTime, exp.CurrentTimestamp, exp.CurrentUser, exp.Rand, exp.TableSample, exp.Uuid,
)  # fmt: skip
_NAMES = {
    "now", "today", "random", "uuid", "gen_random_uuid", "uuidv4", "uuidv7", "get_current_time",
    "get_current_timestamp", "transaction_timestamp", "current_localtime", "current_localtimestamp", "nextval",
    "currval", "setseed", "txid_current", "version", "current_setting", "getenv", "current_database",
    "current_schema", "current_query", "query", "query_table", "glob",
}  # fmt: skip
_PREFIXES = ("duckdb_", "pragma_", "read_", "sniff_")


def volatile_parts(sql: str) -> list[str]:
    """What makes `sql` no function of the stored data, as it may be named to a person.

    *Raises* QueryError when the text cannot be read.
    """
    found: dict[str, None] = {}
    for statement in parse_statements(sql):
        for node in statement.walk():
            if isinstance(node, _NODES):
                found[node.sql(dialect="duckdb").lower()] = None
            elif isinstance(node, exp.Anonymous):
                name = node.name.lower()
                if name in _NAMES or name.startswith(_PREFIXES):
                    found[f"{name}()"] = None
            elif isinstance(node, exp.Table) and node.db.lower() == "information_schema":
                found[f"information_schema.{node.name.lower()}"] = None
    for file in sorted(references_in(sql).files):
        found[file] = None
    return list(found)
