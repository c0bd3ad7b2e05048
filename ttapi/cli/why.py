# SPDX-License-Identifier: Apache-2.0
"""`ttapi why`: one row explained, from its value up to the lines of the files it comes from.

`ttapi lineage`: where a relation or a column comes from, as a tree, as JSON or as Mermaid.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ttapi.api.answer import explanation_document, lineage_document
from ttapi.errors import UsageError
from ttapi.formats.values import amount

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ttapi.api import (
        Environment,
        Explanation,
        ImpliedExplanation,
        InputRows,
        LineageGraph,
        Node,
        SourceCall,
        TreeLine,
    )

_LINES = 5
_CELL = 24


def register_why(app: typer.Typer) -> None:
    """Add the command."""
    app.command("why")(why)


def why(
    context: typer.Context,
    relation: Annotated[str, typer.Argument(help="A table or view.")],
    key: Annotated[
        list[str] | None,
        typer.Argument(help="Values of its grain in order, or column=value; dates as 2024-06-21."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Explain one row: value, formula, input rows, load, source, checks, what depends on it."""
    from ttapi.api import Database
    from ttapi.cli.terminal import open_environment, require_home

    environment = open_environment(context.obj)
    require_home(environment)
    with Database(environment.home) as database:
        found = database.why(relation, key or [])
    if as_json:
        typer.echo(json.dumps(explanation_document(found)))
    else:
        width = terminal_width()
        for line in explanation_lines(found):
            typer.echo(cut(line.rstrip(), width))


def explanation_lines(found: Explanation) -> Iterator[str]:
    """The explanation for a person."""
    key = ", ".join(f"{column} {value}" for column, value in found.key.items())
    yield f"{found.relation}: {key}" + (f"  ({found.file})" if found.file else "")
    yield ""
    if found.implied:
        yield from _implied(found.implied)
        yield ""
    yield from _columns(found)
    for inputs in found.inputs:
        yield ""
        yield from _inputs(inputs)
    if found.calls:
        yield ""
        yield "loaded"
        for call in found.calls:
            yield f"  {_call(call)}"
    yield ""
    passed = sum(1 for check in found.checks if not check.failures)
    yield f"checks: {passed} of {len(found.checks)} passed"
    for check in found.checks:
        if check.failures:
            yield f"  failed: {check.dataset} {check.check}: {amount(check.failures, 'bad row')}"
    yield f"would change with it: {', '.join(found.downstream) or 'nothing'}"


def _implied(story: ImpliedExplanation) -> Iterator[str]:
    if story.volatility is not None:
        yield f"implied volatility {story.volatility:.6g} of price {story.price:g} ({story.quote})"
    else:
        yield f"no implied volatility: {story.reason} ({story.quote})"
    yield f"  {story.loaded}"
    if story.lower_bound is not None:
        yield f"  a volatility exists for prices from {story.lower_bound:.6g} to {story.upper_bound:.6g}"
    if story.forward is not None:
        how = (
            f"the median of put-call parity at {amount(len(story.pairs), 'strike')}"
            if story.pairs
            else "spot carried to expiration, less announced dividends"
        )
        yield f"  forward {story.forward:.6g}: {how}"
        for pair in story.pairs:
            yield (
                f"    strike {pair['strike']:g}: call {pair['call']:g}, put {pair['put']:g}"
                f" -> {pair['forward']:.6g}"
            )
    if story.rate is not None:
        yield f"  rate {story.rate:g} ({story.rate_from}), {story.years:.6g} years to expiration"


def _columns(found: Explanation) -> Iterator[str]:
    names = max(len(column.name) for column in found.columns)
    values = [_text(column.value) for column in found.columns]
    width = min(_CELL, max(len(value) for value in values))
    for column, value in zip(found.columns, values, strict=True):
        comment = f"  {column.comment}" if column.comment else ""
        yield f"{column.name:{names}}  {value:{width}}{comment}"
        indent = " " * (names + 4)
        if column.formula is None:
            yield f"{indent}<- {column.made_in}"
            continue
        yield f"{indent}= {column.formula}  [{column.made_in}]"
        for ingredient in column.ingredients[:_LINES]:
            yield f"{indent}  {ingredient}"
        if len(column.ingredients) > _LINES:
            yield f"{indent}  and {len(column.ingredients) - _LINES} more: --json has them all"


def _inputs(inputs: InputRows) -> Iterator[str]:
    where = (
        "in all: no part of the key reaches it"
        if inputs.condition == "true"
        else f"where {inputs.condition}"
    )
    shown = len(inputs.rows)
    until = f" up to {inputs.until.replace('<= ', '')}" if inputs.until else ""
    yield f"{inputs.relation}: {amount(inputs.total, 'row')} {where}"
    if not shown:
        return
    if shown < inputs.total:
        yield f"  the last {shown}{until}:"
    yield from (f"  {line}" for line in _table(inputs.columns, inputs.rows))


def _table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    cells = [list(columns), *([_text(row[c])[:_CELL] for c in columns] for row in rows)]
    widths = [max(len(line[n]) for line in cells) for n in range(len(columns))]
    for line in cells:
        yield "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True))


def _call(call: SourceCall) -> str:
    lines = ", ".join(str(line) for line in call.lines)
    at = f" line{'s' if len(call.lines) > 1 else ''} {lines}" if lines else ""
    sealed = f", content {call.content_hash[:12]}" if call.content_hash else ""
    by = f" by {call.command}" if call.command else ""
    source = f" ({call.source})" if call.source else ""
    return f"{call.relation} <- {call.unit}{at}{source}{sealed}; load {call.load_id}, {call.loaded_at} UTC{by}"


def _text(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


_PLAIN_WIDTH = 1_000_000


def register_lineage(app: typer.Typer) -> None:
    """Add the command."""
    app.command("lineage")(lineage)


def lineage(
    context: typer.Context,
    relation: Annotated[str, typer.Argument(help="A relation, or RELATION.COLUMN.")],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="As a Mermaid flowchart.")] = False,
) -> None:
    """Show where a relation or a column comes from, down to what fills the raw tables."""
    from ttapi.api import Database, find_node
    from ttapi.cli.terminal import open_environment, require_home

    if as_json and mermaid:
        raise UsageError("give one of --json and --mermaid")
    environment = open_environment(context.obj)
    require_home(environment)
    with Database(environment.home) as database:
        graph = database.lineage()
    node = find_node(graph, relation, environment)
    if as_json:
        typer.echo(json.dumps(lineage_document(graph, node, environment)))
    elif mermaid:
        typer.echo("\n".join(mermaid_lines(graph, node)))
    else:
        _show(graph, node, environment)


def mermaid_lines(graph: LineageGraph, node: Node) -> list[str]:
    """A left-to-right flowchart, sources first."""
    lines = ["flowchart LR"]
    numbers: dict[Node, int] = {}
    edges: list[str] = []
    for line in graph.tree(node):
        if line.node not in numbers:
            numbers[line.node] = len(numbers)
            lines.append(f'    n{numbers[line.node]}["{_name(line.node)}"]')
    for below, number in list(numbers.items()):
        edges += [f"    n{numbers[up]} --> n{number}" for up in graph.upstreams(below)]
    return lines + edges


def _show(graph: LineageGraph, node: Node, environment: Environment) -> None:
    width = terminal_width()
    for line in graph.tree(node):
        typer.echo(cut(_tree_text(graph, line, environment), width))
    if node[1] is not None:
        return
    columns = graph.columns(node[0])
    longest = max((len(name) for name in columns), default=0)
    typer.echo("")
    for name in columns:
        typer.echo(cut(f"{name:{longest}}  {_made_of(graph, (node[0], name))}".rstrip(), width))


def _made_of(graph: LineageGraph, node: Node) -> str:
    """The raw columns behind a column, by relation; the SQL of one that reads none."""
    by_relation: dict[str, list[str]] = {}
    for relation, column in graph.roots(node):
        if (relation, column) != node:
            by_relation.setdefault(relation, []).append(column or "*")
    told = [
        f"{relation}.{names[0]}" if len(names) == 1 else f"{relation}({', '.join(names)})"
        for relation, names in by_relation.items()
    ]
    return ", ".join(told) or graph.expression(node) or ""


def _tree_text(graph: LineageGraph, line: TreeLine, environment: Environment) -> str:
    from ttapi.api import filler_of

    guides = "".join("   " if is_last else "│  " for is_last in line.is_last[:-1])
    branch = ("└─ " if line.is_last[-1] else "├─ ") if line.is_last else ""
    text = guides + branch + _name(line.node)
    if line.is_repeated:
        return f"{text} (above)"
    expression = graph.expression(line.node)
    if expression is not None and expression.rpartition(".")[2] != line.node[1]:
        return f"{text} = {expression}"
    filler = filler_of(environment, line.node[0])
    return f"{text} <- {filler.text}" if filler else text


def _name(node: Node) -> str:
    relation, column = node
    return relation if column is None else f"{relation}.{column}"


def cut(text: str, width: int) -> str:
    """`text` in `width` columns, its end marked where it is cut."""
    return text if len(text) <= width else text[: width - 1] + "…"


def terminal_width() -> int:
    """Columns of the terminal; a file or a pipe takes whole lines."""
    import shutil
    import sys

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _PLAIN_WIDTH
