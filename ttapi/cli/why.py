# SPDX-License-Identifier: Apache-2.0
"""`ttapi why`: one row explained, from its value up to the lines of the files it comes from."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ttapi.formats.spans import amount

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ttapi.refresh.provenance.implied import ImpliedStory
    from ttapi.refresh.provenance.row_inputs import Inputs
    from ttapi.refresh.provenance.why import Explanation, SourceCall

_LINES = 5
_CELL = 24


def register(app: typer.Typer) -> None:
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
    from ttapi.cli.lineage import cut, terminal_width
    from ttapi.cli.session import open_workspace, require_home
    from ttapi.refresh.database import Database
    from ttapi.refresh.provenance.why import explain_row

    workspace = open_workspace(context)
    require_home(workspace)
    with Database(workspace.home) as database:
        found = explain_row(database, relation, key or [])
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(found), default=_plain))
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


def _implied(story: ImpliedStory) -> Iterator[str]:
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


def _inputs(inputs: Inputs) -> Iterator[str]:
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


def _plain(value: object) -> str:
    isoformat = getattr(value, "isoformat", None)
    return str(isoformat()) if isoformat else str(value)
