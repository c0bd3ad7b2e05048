# SPDX-License-Identifier: Apache-2.0
"""`ttapi lineage`: where a relation or a column comes from, as a tree, as JSON or as Mermaid."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ttapi.errors import UsageError

if TYPE_CHECKING:
    from ttapi.models.lineage_graph import LineageGraph, Node, TreeLine
    from ttapi.refresh.workspace import Workspace

_PLAIN_WIDTH = 1_000_000


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("lineage")(lineage)


def lineage(
    context: typer.Context,
    relation: Annotated[str, typer.Argument(help="A relation, or RELATION.COLUMN.")],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="As a Mermaid flowchart.")] = False,
) -> None:
    """Show where a relation or a column comes from, down to what fills the raw tables."""
    from ttapi.cli.session import open_workspace, require_home
    from ttapi.refresh.database import Database
    from ttapi.refresh.provenance.origin import find_node, read_lineage

    if as_json and mermaid:
        raise UsageError("give one of --json and --mermaid")
    workspace = open_workspace(context)
    require_home(workspace)
    with Database(workspace.home) as database:
        graph = read_lineage(database)
    node = find_node(graph, relation, workspace)
    if as_json:
        typer.echo(json.dumps(lineage_document(graph, node, workspace)))
    elif mermaid:
        typer.echo("\n".join(mermaid_lines(graph, node)))
    else:
        _show(graph, node, workspace)


def lineage_document(graph: LineageGraph, node: Node, workspace: Workspace) -> dict[str, Any]:
    """The lineage as JSON: every column with what it reads, and the roots it ends in."""
    relation, column = node
    names = [column] if column else graph.columns(relation)
    return {
        "relation": relation,
        "column": column,
        "columns": [_column_document(graph, (relation, name), workspace) for name in names],
        "read_by": graph.readers(relation),
    }


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


def _column_document(graph: LineageGraph, node: Node, workspace: Workspace) -> dict[str, Any]:
    from ttapi.refresh.provenance.origin import filler_of

    roots = []
    for relation, column in graph.roots(node):
        filler = filler_of(workspace, relation)
        roots.append(
            {
                "relation": relation,
                "column": column,
                "source": filler.source if filler else None,
                "setting": filler.setting if filler else None,
            }
        )
    return {
        "column": node[1],
        "expression": graph.expression(node),
        "upstreams": [{"relation": r, "column": c} for r, c in graph.upstreams(node)],
        "roots": roots,
    }


def _show(graph: LineageGraph, node: Node, workspace: Workspace) -> None:
    width = terminal_width()
    for line in graph.tree(node):
        typer.echo(cut(_tree_text(graph, line, workspace), width))
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


def _tree_text(graph: LineageGraph, line: TreeLine, workspace: Workspace) -> str:
    from ttapi.refresh.provenance.origin import filler_of

    guides = "".join("   " if is_last else "│  " for is_last in line.is_last[:-1])
    branch = ("└─ " if line.is_last[-1] else "├─ ") if line.is_last else ""
    text = guides + branch + _name(line.node)
    if line.is_repeated:
        return f"{text} (above)"
    expression = graph.expression(line.node)
    if expression is not None and expression.rpartition(".")[2] != line.node[1]:
        return f"{text} = {expression}"
    filler = filler_of(workspace, line.node[0])
    return f"{text} <- {filler.told}" if filler else text


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
