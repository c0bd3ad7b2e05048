# SPDX-License-Identifier: Apache-2.0
"""What stored SQL may hold so that DuckDB clients 1.2 to 2.0 can open the file and use it.

Each rule was measured: SQL stored by the 2.0 engine in a v1.2.0 file, read by 1.2.2 to 1.5.6.

What in a piece of SQL answers differently though no data changed: clocks, chance, the session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from ttapi.errors import ModelError
from ttapi.models.model import Macro, Model, macro_parts
from ttapi.models.references import parse_statements, references_in
from ttapi.models.sql_edit import is_star

if TYPE_CHECKING:
    from collections.abc import Iterator

_FAILS_IN_OLD = "it fails in DuckDB 1.2"


def refuse_unportable(model: Model, macro: Macro | None) -> None:
    """Nothing, or ModelError naming file, line and the form that works everywhere."""
    sql = macro.body if macro else model.body
    statements = parse_statements(sql)
    if len(statements) != 1:
        raise ModelError(
            f"a model file holds one statement; this one holds {len(statements)}",
            file=model.file,
            line=model.body_line,
        )
    statement = statements[0]
    is_query = isinstance(statement, exp.Query)
    if not is_query and not (macro and not macro.is_table):
        raise ModelError(
            f"a {model.kind} is a SELECT, not {type(statement).__name__.upper()}",
            file=model.file,
            line=model.body_line,
        )
    for finding, node in _findings(statement, macro):
        raise ModelError(finding, file=model.file, line=_line(node, model))
    if files := references_in(sql).files:
        raise ModelError(
            f"a stored relation cannot read a file ({min(files)}): other clients resolve it elsewhere",
            file=model.file,
            line=model.body_line,
            hint="write its rows as (values (...), (...)) as t(name, ...), or write a source (README 7)",
        )
    if model.is_bundled and is_query and model.kind != "macro":
        _refuse_implicit_output(statement, model)


def _findings(statement: exp.Expr, macro: Macro | None) -> Iterator[tuple[str, exp.Expr]]:
    for node in statement.walk():
        for check in (_expression_finding, _function_finding):
            if finding := check(node):
                yield finding, node
        if macro and macro.parameters and _is_bare_column(node, macro.parameters):
            yield f"in a macro every column is qualified by its alias; {node.name!r} is not", node


def _expression_finding(node: exp.Expr) -> str | None:
    if isinstance(node, exp.Lambda):
        return (
            "a lambda is written differently in every DuckDB release; use a join or a list function"
        )
    if isinstance(node, exp.AtTimeZone) and not _is_timestamp_cast(node.this):
        return "at time zone needs an explicit ::timestamp before it; on a DATE it makes the file unreadable"
    if isinstance(node, exp.DataType) and node.this in _UNREADABLE_TYPES:
        kind = node.sql(dialect="duckdb")
        return f"type {kind} cannot be read by every client; use TIMESTAMP in UTC"
    if isinstance(node, exp.Mul):
        sides = {type(node.this.unnest()), type(node.expression.unnest())}
        if exp.Interval in sides:
            return f"an interval times a number cannot be stored: {_FAILS_IN_OLD}"
    return None


def _function_finding(node: exp.Expr) -> str | None:
    if isinstance(node, exp.Lag | exp.Lead) and node.args.get("offset") is not None:
        return (
            f"{node.key} with an offset breaks clients before 2.0; use {node.key}(x),"
            " or first_value(x) over a one-row frame"
        )
    if isinstance(node, exp.DateTrunc | exp.TimestampTrunc) and not isinstance(
        node.parent, exp.Cast
    ):
        return "date_trunc must be cast back to its type: date_trunc(...)::date"
    if isinstance(node, exp.Try | exp.Overlay):
        return f"{node.key}() cannot be stored: {_FAILS_IN_OLD}"
    if isinstance(node, exp.Anonymous) and node.name.lower() in {"geomean", "geometric_mean"}:
        return f"{node.name}() cannot be stored: over a window {_FAILS_IN_OLD}"
    return None


def _is_bare_column(node: exp.Expr, parameters: tuple[str, ...]) -> bool:
    is_bare = isinstance(node, exp.Column) and not node.table
    return is_bare and node.name.lower() not in parameters


_UNREADABLE_TYPES = {exp.DataType.Type.TIMESTAMP_NS}


def _is_timestamp_cast(node: exp.Expr) -> bool:
    inner = node.this if isinstance(node, exp.Paren) else node
    return isinstance(inner, exp.AtTimeZone) or (
        isinstance(inner, exp.Cast)
        and inner.to.this in {exp.DataType.Type.TIMESTAMP, exp.DataType.Type.TIMESTAMPTZ}
    )


def _refuse_implicit_output(statement: exp.Expr, model: Model) -> None:
    for select in _last_selects(statement):
        stars = [projection for projection in select.expressions if is_star(projection)]
        for star in stars:
            if finding := _star_finding(star, stars, select, statement):
                raise ModelError(finding, file=model.file, line=_line(star, model))
        for projection in select.expressions:
            if projection not in stars and not isinstance(projection.unalias(), exp.Cast):
                raise ModelError(
                    f"cast every output column explicitly: {projection.alias_or_name}",
                    file=model.file,
                    line=_line(projection, model),
                )


def _star_finding(
    star: exp.Expr, stars: list[exp.Expr], select: exp.Select, statement: exp.Expr
) -> str | None:
    """What keeps `star` from being written out when the model is installed; None: nothing.

    Its columns and their comments are those of one relation, and stored with their names.
    """
    clause = select.args.get("from_")
    source = clause.this if isinstance(clause, exp.Expr) else None
    is_plain = select is statement and not (select.args.get("joins") or select.args.get("with_"))
    if not is_plain or not _is_relation(source):
        return "a star stands for one relation alone; name every column of a join, a subquery or a union"
    if len(stars) > 1:
        return "one star is enough: name the other columns"
    if not isinstance(star, exp.Column) or not star.table:
        return "qualify the star by its relation: v.*"
    if star.this.args.get("replace") or star.this.args.get("rename"):
        return "a star may leave columns out, v.* exclude (a); name what it would change"
    return None


def _is_relation(source: exp.Expr | None) -> bool:
    return isinstance(source, exp.Table) and not source.args.get("joins")


def _last_selects(statement: exp.Expr) -> Iterator[exp.Select]:
    if isinstance(statement, exp.SetOperation):
        yield from _last_selects(statement.left)
        yield from _last_selects(statement.right)
    elif isinstance(statement, exp.Subquery):
        yield from _last_selects(statement.this)
    elif isinstance(statement, exp.Select):
        yield statement


def _line(node: exp.Expr, model: Model) -> int:
    """The file's line: sqlglot counts from the text it was given, a macro's head cut off."""
    head = 0
    if model.kind == "macro":
        head = model.body.count("\n") - macro_parts(model).body.count("\n")
    for part in node.walk():
        if line := part.meta.get("line"):
            return model.body_line + head + int(line) - 1
    return model.body_line + head


_NODES = (
    exp.CurrentCatalog, exp.CurrentDatabase, exp.CurrentDate, exp.CurrentSchema, exp.CurrentSchemas, exp.CurrentTime,
    exp.CurrentTimestamp, exp.CurrentUser, exp.CurrentVersion, exp.Localtime, exp.Localtimestamp, exp.Rand,
    exp.SessionUser, exp.TableSample, exp.Uuid,
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
                # The age of one instant is its distance from today; of two, from each other.
                is_clock = name == "age" and len(node.expressions) == 1
                if is_clock or name in _NAMES or name.startswith(_PREFIXES):
                    found[f"{name}()"] = None
            elif isinstance(node, exp.Table) and node.db.lower() == "information_schema":
                found[f"information_schema.{node.name.lower()}"] = None
    for file in sorted(references_in(sql).files):
        found[file] = None
    return list(found)
