# SPDX-License-Identifier: Apache-2.0
"""Write `docs/reference/` from the code: `python scripts/make_docs.py`.

Commands and options, settings, dot-commands, relations with their columns, errors and exit codes.
A test makes the pages anew and compares; nothing here is written by hand twice.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "reference"
MADE = "<!-- made by scripts/make_docs.py: change the code, not this page -->\n"


def pages() -> dict[str, str]:
    """Text of each page, by file name."""
    made = {
        "commands.md": _commands(),
        "settings.md": _settings(),
        "shell.md": _shell(),
        "relations.md": _relations(),
        "errors.md": _errors(),
    }
    return {name: MADE + text for name, text in made.items()}


def _commands() -> str:
    import typer.main

    from ttapi.cli.app import app

    group: Any = typer.main.get_command(app)
    lines = ["# Commands\n", f"{group.epilog}\n", "Options of every command:\n"]
    lines += _options(group.params)
    for name, command in sorted(group.commands.items()):
        lines += [f"\n## ttapi {name}\n", f"{inspect.cleandoc(command.help or '')}\n"]
        lines += _options(command.params)
        for inner, one in getattr(command, "commands", {}).items():
            lines += [f"\n## ttapi {name} {inner}\n", f"{inspect.cleandoc(one.help or '')}\n"]
            lines += _options(one.params)
    return "\n".join(lines) + "\n"


def _options(parameters: list[Any]) -> list[str]:
    rows = ["| option | does |", "|---|---|"]
    for one in parameters:
        names = [*one.opts, *one.secondary_opts]
        is_argument = not names[0].startswith("-")
        told = (
            f"`{(one.metavar or one.name).upper()}`"
            if is_argument
            else ", ".join(f"`{n}`" for n in names)
        )
        text = (getattr(one, "help", None) or "").replace("|", "\\|")
        rows.append(f"| {told} | {text} |")
    return rows


def _settings() -> str:
    from ttapi.config import _TOML_NAMES, Settings
    from ttapi.sources.discovery import installed_sources

    texts = _field_texts(Settings)
    lines = [
        "# Settings\n",
        (
            "In `ttapi.toml` of the home, or in the environment: a flag wins over the environment, that over"
            " the file, that over the default.\n"
        ),
        "| setting | environment | default | means |",
        "|---|---|---|---|",
    ]
    defaults = {name: getattr(Settings(), name) for name in _TOML_NAMES.values()}
    for (section, key), name in sorted(_TOML_NAMES.items()):
        text = texts[name].partition(": ")[2] or texts[name]
        default = defaults[name]
        shown = ", ".join(default) if isinstance(default, tuple) else default
        variable = f"TTAPI_{section}_{key}".upper()
        lines.append(
            f"| `[{section}] {key}` | `{variable}` | {'' if shown is None else shown} | {text} |"
        )
    lines.append(
        "\n`TTAPI_HOME` names the home, `TTAPI_NOW` (an ISO instant) the instant taken for now.\n"
    )
    lines.append("## Sources\n")
    for found in installed_sources(ROOT / "no-such-folder"):
        source = found.source
        if source is None:
            continue
        lines += [f"### [sources.{source.name}]\n", f"{source.about.rstrip('.')}.\n"]
        document = inspect.cleandoc(type(source).__doc__ or "")
        lines += [f"{document}\n"] if document else []
        lines += ["| setting | environment |", "|---|---|"] if source.setting_names else []
        for field in source.setting_names:
            lines.append(
                f"| `{field}` | `TTAPI_{source.name}_{field}` |".replace(
                    f"TTAPI_{source.name}_{field}", f"TTAPI_{source.name}_{field}".upper()
                )
            )
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _field_texts(kind: type) -> dict[str, str]:
    """The string under each field of a dataclass, on one line."""
    (body,) = (
        n.body for n in ast.parse(inspect.getsource(kind)).body if isinstance(n, ast.ClassDef)
    )
    found = {}
    for field, text in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
            value = ast.literal_eval(text.value)
            found[ast.unparse(field.target)] = " ".join(value.split())
    return found


def _shell() -> str:
    from ttapi.cli.shell.dot.registry import COMMANDS
    from ttapi.formats.records import FORMATS

    lines = [
        "# The shell\n",
        "`ttapi sql` on a terminal opens it. SQL ends with `;`, these commands with their line.\n",
        "| command | also | does |",
        "|---|---|---|",
    ]
    for one in COMMANDS:
        also = " ".join(f"`{name}`" for name in one.aliases)
        usage = one.usage.replace("|", "\\|")
        lines.append(f"| `{usage}` | {also} | {one.about} |")
    lines.append("\n## Formats of answers\n")
    lines += ["| format | |", "|---|---|"]
    lines += [f"| `{name}` | {one.about} |" for name, one in FORMATS.items()]
    lines.append("")
    return "\n".join(lines)


def _relations() -> str:
    from ttapi.models.model import macro_parts

    lines = [
        "# Relations\n",
        "Every relation of schema `main`; any DuckDB client sees the same texts as comments.\n",
    ]
    for model, comments in _documented():
        grain = f" One row per {', '.join(model.grain)}." if model.grain else ""
        signature = ""
        if model.kind == "macro":
            signature = f"({', '.join(macro_parts(model).parameters)})"
        lines += [f"## {model.name}{signature}\n", f"{model.about}{grain}\n"]
        if any(comments.values()):
            lines += ["| column | |", "|---|---|"]
            lines += [f"| `{name}` | {text} |" for name, text in comments.items()]
        elif comments:
            lines.append("Columns: " + ", ".join(f"`{name}`" for name in comments) + ".")
        if comments:
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _documented() -> Iterator[tuple[Any, dict[str, str]]]:
    """Public models with the comment of each column, as the file carries them."""
    import tempfile
    from contextlib import closing
    from datetime import UTC, datetime

    from ttapi.clock import FixedClock
    from ttapi.home import Home
    from ttapi.refresh.environment import environment_of
    from ttapi.refresh.installation import load_installation
    from ttapi.refresh.plan import RefreshRequest
    from ttapi.refresh.writer import run_refresh
    from ttapi.store.engine import connect_snapshot
    from ttapi.store.store import init_home

    now = datetime(2024, 6, 14, 22, 0, tzinfo=UTC)
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        init_home(home, now=now)
        environment = environment_of(load_installation(home, {}), FixedClock(now))
        run_refresh(environment, RefreshRequest(targets=("calendar",)))
        with closing(connect_snapshot(home.public_file)) as connection:
            rows = connection.execute(
                "select table_name, column_name, comment from duckdb_columns() where schema_name = 'main'"
                " order by table_name, column_index"
            ).fetchall()
    for name, model in sorted(environment.graph.models.items()):
        if model.schema != "main":
            continue
        comments = {column: text or "" for table, column, text in rows if table == name}
        if model.kind == "macro":
            comments = dict.fromkeys(environment.datasets[name].columns or (), "")
        yield model, comments


def _errors() -> str:
    import ttapi.errors

    tree = inspect.cleandoc(ttapi.errors.__doc__ or "")
    return f"# Errors and exit codes\n\n```\n{tree}\n```\n"


def main() -> int:
    """Write every page; with `--check` write none, and leave with 1 where one says something else."""
    made = pages()
    if "--check" in sys.argv[1:]:
        held = {file.name: file.read_text(encoding="utf-8") for file in FOLDER.iterdir()}
        other = sorted(
            name for name in made.keys() | held.keys() if made.get(name) != held.get(name)
        )
        print(*(f"docs/reference/{name} is not what the code says" for name in other), sep="\n")
        return 1 if other else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
