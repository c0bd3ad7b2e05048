# SPDX-License-Identifier: Apache-2.0
"""One query expression taken apart: which relations it reads, with what is provable of the rows that matter.

A block (a SELECT, a set operation, VALUES) says what it reads in terms of its own output columns:
`Same('symbol')` on a column means that whoever limits the block's `symbol` limits that column too.
That holds only where the block treats each value apart: no LIMIT, no aggregate or window across
values. Whatever is not understood has no limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from sqlglot import exp

from ttapi.models.barriers import blocks_pushdown, grouping_of
from ttapi.models.limits import (
    NO_LIMIT,
    Limit,
    RelationRead,
    SameColumn,
    ValueSet,
    bind_parameters,
    values_of,
)
from ttapi.models.predicates import Literals, atom_of, bare_column, conjuncts
from ttapi.models.scope import FromItem, Scope, from_scope

ColumnsOf = Callable[[str], tuple[str, ...] | None]
"""Column names of a dataset, lower case; None: not known."""
NameOf = Callable[[exp.Table], str | None]
"""The dataset a table name means; None: it is none (a temporary table, a file)."""


@dataclass(frozen=True)
class Output:
    """One output column of a block."""

    name: str
    limit: Limit = NO_LIMIT
    """What is provable of its values."""


@dataclass(frozen=True)
class Block:
    """A query expression: what it reads, and its output columns (None: not known)."""

    reads: tuple[RelationRead, ...] = ()
    outputs: tuple[Output, ...] | None = None


@dataclass(frozen=True)
class AnalysisContext:
    """What names mean where a block stands."""

    columns_of: ColumnsOf
    name_of: NameOf
    literals: Literals
    seen: set[int]
    """Identities of the table nodes that were read; what is left over is read without limits."""
    blocks: Mapping[str, Block] = field(default_factory=dict)
    """Common table expressions and temporary views in scope, by name."""
    outer: Callable[[exp.Column], Limit] | None = None
    """What limits a column of the query around this one."""
    row_wise: frozenset[str] = frozenset()
    """Macros that make a value of one row."""


def analyse_query(node: exp.Expr, context: AnalysisContext) -> Block:
    """The block that `node` is."""
    if isinstance(node, exp.Subquery):
        # (SELECT ...) LIMIT 5 cuts what is inside.
        inner = analyse_query(node.this, _with_ctes(node, context))
        is_cut = any(node.args.get(part) for part in ("limit", "offset", "sample", "pivots"))
        return _cut(inner) if is_cut else inner
    context = _with_ctes(node, context)
    if isinstance(node, exp.SetOperation):
        return _set_operation(node, context)
    if isinstance(node, exp.Values):
        return Block((), _values(node, context))
    if isinstance(node, exp.Select):
        return _select(node, context)
    if isinstance(node, exp.Table) and not node.args.get("joins") and not node.args.get("pivots"):
        block = _of_source(_table(node, context))
        # Of a table, as of a block, a sample is drawn before any condition.
        return _cut(block) if node.args.get("sample") else block
    return Block(tuple(_below(node, context)))


def _with_ctes(node: exp.Expr, context: AnalysisContext) -> AnalysisContext:
    clause = node.args.get("with_")
    if not isinstance(clause, exp.With):
        return context
    blocks = dict(context.blocks)
    for cte in clause.expressions:
        name = cte.alias.lower()
        if clause.recursive:
            # What a round reads depends on the round before: nothing asked from outside reaches in.
            blocks[name] = Block((), None)
        inner = _rename(analyse_query(cte.this, _in_scope(context, blocks)), cte.args.get("alias"))
        blocks[name] = _cut(inner) if clause.recursive else inner
    return _in_scope(context, blocks)


def _in_scope(context: AnalysisContext, blocks: Mapping[str, Block]) -> AnalysisContext:
    return replace(context, blocks=blocks)


def _cut(block: Block) -> Block:
    """`block` where no limit on its outputs reaches what it reads."""
    return Block(tuple(bind_parameters(read, {}) for read in block.reads), block.outputs)


def _rename(block: Block, alias: exp.Expr | None) -> Block:
    """`block` with its output columns called as `alias(a, b)` says."""
    names = [c.name.lower() for c in (alias.args.get("columns") or [])] if alias else []
    if not names or block.outputs is None:
        return block if not names else Block(_cut(block).reads, None)
    renamed = [
        Output(names[i] if i < len(names) else old.name, old.limit)
        for i, old in enumerate(block.outputs)
    ]
    mapping = {
        old.name: frozenset([SameColumn(new.name)])
        for old, new in zip(block.outputs, renamed, strict=True)
    }
    return Block(tuple(bind_parameters(read, mapping) for read in block.reads), tuple(renamed))


def _set_operation(node: exp.SetOperation, context: AnalysisContext) -> Block:
    left, right = analyse_query(node.left, context), analyse_query(node.right, context)
    is_cut = any(node.args.get(part) for part in ("limit", "offset"))
    if left.outputs is None or right.outputs is None or is_cut:
        return Block((*_cut(left).reads, *_cut(right).reads), None if is_cut else left.outputs)
    if node.args.get("by_name"):
        shared = {o.name: o for o in right.outputs}
        mapping = {name: frozenset([SameColumn(name)]) for name in shared}
        pairs = [(one, shared.get(one.name)) for one in left.outputs]
        added = [o for o in right.outputs if o.name not in {p.name for p in left.outputs}]
    else:
        both = list(zip(left.outputs, right.outputs, strict=False))
        mapping = {second.name: frozenset([SameColumn(first.name)]) for first, second in both}
        pairs, added = [(first, second) for first, second in both], []
    outputs = [Output(one.name, _union(one, other)) for one, other in pairs]
    reads = [*left.reads, *(bind_parameters(read, mapping) for read in right.reads)]
    return Block(tuple(reads), (*outputs, *(Output(o.name) for o in added)))


def _union(one: Output, other: Output | None) -> Limit:
    first, second = values_of(one.limit), values_of(other.limit) if other else None
    if first is None or second is None:
        return NO_LIMIT
    return frozenset([ValueSet(first | second)])


def _values(node: exp.Values, context: AnalysisContext) -> tuple[Output, ...]:
    rows = [row.expressions for row in node.expressions if isinstance(row, exp.Tuple)]
    width = min((len(row) for row in rows), default=0)
    outputs = []
    for i in range(width):
        known = [values_of(atom_of(row[i], context.literals)) for row in rows]
        texts = [values for values in known if values is not None]
        limit = (
            frozenset([ValueSet(frozenset().union(*texts))]) if len(texts) == len(rows) else None
        )
        outputs.append(Output(f"col{i}", limit or NO_LIMIT))
    return tuple(outputs)


def _select(node: exp.Select, context: AnalysisContext) -> Block:
    scope = from_scope(node, lambda one: _source(one, context), context.literals)
    for one in conjuncts(_condition(node, "where"), context.literals):
        scope.hold(one, context.outer)
    bare, outputs = _outputs(node, scope)
    if not blocks_pushdown(node):
        grouping = grouping_of(node, context.row_wise)
        for name, place in bare.items():
            if place is not None and grouping.keeps_separate(place, scope):
                scope.limit(place, frozenset([SameColumn(name)]))
    limits = scope.closed()
    reads = [
        bind_parameters(read, limits.get(alias, {}))
        for alias, source in scope.sources.items()
        for read in source.reads
    ]
    around = replace(context, outer=lambda column: predicate_on(scope, limits, column))
    reads.extend(_expressions(node, around))
    if outputs is None:
        return Block(tuple(reads), None)
    literal = {
        p.alias_or_name.lower(): atom_of(p.unalias(), context.literals) for p in node.expressions
    }
    found = tuple(
        Output(name, literal[name]) if literal.get(name) else _limited(name, bare.get(name), limits)
        for name in outputs
    )
    return Block(tuple(reads), found)


def predicate_on(
    scope: Scope, limits: Mapping[str, Mapping[str, Limit]], column: exp.Column
) -> Limit:
    """What limits `column`, seen from a subquery inside the scope."""
    place = scope.place(column)
    return limits.get(place[0], {}).get(place[1], NO_LIMIT) if place else NO_LIMIT


def _limited(
    name: str, place: tuple[str, str] | None, limits: Mapping[str, Mapping[str, Limit]]
) -> Output:
    found = limits.get(place[0], {}).get(place[1], NO_LIMIT) if place else NO_LIMIT
    return Output(name, frozenset(atom for atom in found if not isinstance(atom, SameColumn)))


def _outputs(
    node: exp.Select, scope: Scope
) -> tuple[dict[str, tuple[str, str] | None], list[str] | None]:
    """Where each output column comes from unchanged (None: computed), and all names in order."""
    found: dict[str, tuple[str, str] | None] = {}
    names: list[str] | None = []
    for projection in node.expressions:
        star = projection.this if isinstance(projection, exp.Column) else projection
        if isinstance(star, exp.Star):
            table = projection.table.lower() if isinstance(projection, exp.Column) else ""
            expanded = scope.expanded(star, table)
            if expanded is None:
                names = None
                continue
            pairs = list(expanded)
        else:
            if isinstance(projection, exp.Columns | exp.Explode):
                names = None
            name = projection.alias_or_name.lower()
            column = bare_column(projection.unalias(), scope.literals.parameters)
            pairs = [(name, scope.place(column) if column is not None else None)]
        for name, place in pairs:
            # Of two output columns of one name none can be told from outside.
            found[name] = None if name in found and found[name] != place else place
            if names is not None:
                names.append(name)
    return found, names


def _source(node: exp.Expr, context: AnalysisContext) -> FromItem:
    """What stands in a FROM clause or behind a JOIN."""
    alias_node = node.args.get("alias")
    alias = node.alias_or_name.lower()
    if isinstance(node, exp.Lateral):
        inner = node.this.this if isinstance(node.this, exp.Subquery) else node.this
        block = analyse_query(inner, context)
    else:
        block = analyse_query(node, context)
    block = _rename(block, alias_node if isinstance(alias_node, exp.TableAlias) else None)
    columns = None if block.outputs is None else tuple(o.name for o in block.outputs)
    known = {o.name: o.limit for o in block.outputs or () if o.limit}
    return FromItem(alias, columns, block.reads, known)


@dataclass(frozen=True)
class _Relation:
    name: str | None
    columns: tuple[str, ...] | None
    read: RelationRead | None
    block: Block | None = None


def _table(node: exp.Table, context: AnalysisContext) -> _Relation:
    context.seen.add(id(node))
    if isinstance(node.this, exp.Anonymous):
        name = node.this.name.lower()
        if name == "query_table" and node.this.expressions:
            return _query_table(node.this.expressions[0], context)
        return _Relation(
            name, context.columns_of(name), RelationRead(name, {}, arguments_of(node.this, context))
        )
    if not isinstance(node.this, exp.Identifier):
        return _Relation(None, None, None)
    if not node.db and (block := context.blocks.get(node.name.lower())):
        return _Relation(None, None, None, block)
    dataset = context.name_of(node)
    if dataset is None:
        return _Relation(None, None, None)
    return _Relation(dataset, context.columns_of(dataset), RelationRead(dataset))


def _query_table(argument: exp.Expr, context: AnalysisContext) -> _Relation:
    """`query_table('eod')` reads the relation its text names."""
    text = argument.this if isinstance(argument, exp.Literal) else ""
    parsed = exp.to_table(str(text)) if text else None
    return _table(parsed, context) if isinstance(parsed, exp.Table) else _Relation(None, None, None)


def _of_source(relation: _Relation) -> Block:
    if relation.block is not None:
        return relation.block
    if relation.read is None:
        return Block((), None)
    if relation.columns is None:
        return Block((relation.read,), None)
    limits = {name: frozenset([SameColumn(name)]) for name in relation.columns}
    read = RelationRead(relation.read.relation, limits, relation.read.arguments)
    return Block((read,), tuple(Output(name) for name in relation.columns))


def arguments_of(call: exp.Anonymous, context: AnalysisContext) -> dict[str, Limit]:
    """What the arguments of a macro call are known to be, by parameter name or position."""
    found: dict[str, Limit] = {}
    for i, argument in enumerate(call.expressions):
        if isinstance(argument, exp.PropertyEQ | exp.Kwarg):
            name, value = argument.this.name.lower(), argument.expression
        else:
            name, value = str(i), argument
        if limit := atom_of(value, context.literals):
            found[name] = limit
    return found


def _expressions(node: exp.Select, context: AnalysisContext) -> Iterator[RelationRead]:
    """Subqueries in the select list and in conditions, joins' conditions included."""
    for key, part in node.args.items():
        if key in {"from_", "with_"}:
            continue
        for one in part if isinstance(part, list) else [part]:
            if isinstance(one, exp.Join):
                for condition in (one.args.get("on"),):
                    if condition is not None:
                        yield from _anything(condition, context)
            elif isinstance(one, exp.Expr):
                yield from _anything(one, context)


def _anything(node: exp.Expr, context: AnalysisContext) -> Iterator[RelationRead]:
    """Every query expression below `node`, none of whose outputs anyone limits."""
    if isinstance(node, exp.Query | exp.Table):
        yield from _cut(analyse_query(node, context)).reads
        return
    if isinstance(node, exp.Anonymous):
        yield RelationRead(node.name.lower(), {}, arguments_of(node, context))
    yield from _below(node, context)


def _below(node: exp.Expr, context: AnalysisContext) -> Iterator[RelationRead]:
    if isinstance(node, exp.Table):
        # A joined table in parentheses, or a pivoted one.
        yield from _cut(_of_source(_table(node, context))).reads
    for child in node.iter_expressions():
        yield from _anything(child, context)


def _condition(node: exp.Select, part: str) -> exp.Expr | None:
    clause = node.args.get(part)
    return clause.this if isinstance(clause, exp.Expr) else None
