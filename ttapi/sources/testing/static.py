# SPDX-License-Identifier: Apache-2.0
"""What can be said of a source without asking it for anything: `ttapi sources --validate`."""

from __future__ import annotations

import ast
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ttapi.sources.contract import SourceContext
from ttapi.sources.declaration import check_declaration
from ttapi.sources.discovery import code_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttapi.sources.contract import Source

_FORBIDDEN = ("duckdb", "ttapi.store", "ttapi.models", "ttapi.refresh", "ttapi.cli")
_MODEL_FOLDERS = frozenset({"staged", "derived", "views", "macros", "checks"})
_ANY_INSTANT = datetime(2024, 1, 2, tzinfo=UTC)


def static_problems(source: Source) -> list[str]:
    """What is wrong with a source as it is written, one sentence a problem; empty: nothing."""
    declared = check_declaration(source)
    if declared:
        return declared
    return [
        *_column_problems(source),
        *_setting_problems(source),
        *_import_problems(source),
        *_folder_problems(source),
    ]


def _column_problems(source: Source) -> Iterator[str]:
    for resource in source.resources:
        for column in resource.columns:
            if not column.comment.strip():
                yield f"resource {resource.name}: column {column.name!r} has no comment (unit, sign, null meaning)"
        for key in resource.requires:
            if key not in resource.keys:
                yield f"resource {resource.name}: requires names {key!r}, which is none of its keys"


def _setting_problems(source: Source) -> Iterator[str]:
    """`missing_setting` is asked before anything is configured: it must answer then."""
    context = SourceContext({}, _ANY_INSTANT)
    for resource in source.resources:
        try:
            missing = source.missing_setting(resource, context)
        except Exception as exc:  # noqa: BLE001 - a stranger's code may raise anything
            yield (
                f"missing_setting of {resource.name} without settings raises"
                f" {type(exc).__name__}: {exc}; it returns the name of the setting"
            )
            continue
        if missing is not None and missing not in source.setting_names:
            yield (
                f"missing_setting of {resource.name} names {missing!r}, which is none of setting_names"
            )


def _import_problems(source: Source) -> Iterator[str]:
    for file in code_files(type(source)):
        for node in ast.walk(ast.parse(file.read_bytes())):
            for name in _imported(node):
                found = next((f for f in _FORBIDDEN if name == f or name.startswith(f"{f}.")), None)
                if found is not None:
                    line = getattr(node, "lineno", 1)
                    yield (
                        f"{file.name}:{line} imports {found}: a source yields Arrow and never sees the store"
                    )


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def _folder_problems(source: Source) -> Iterator[str]:
    folder = source.sql_folder
    if folder is None:
        return
    if not isinstance(folder, Path) or not folder.is_dir():
        yield f"sql_folder {folder} is no folder: ship it with the package"
        return
    files = sorted(folder.rglob("*.sql"))
    if not files:
        yield f"sql_folder {folder} holds no .sql file"
    for file in files:
        parts = file.relative_to(folder).parts
        if len(parts) != 2 or parts[0] not in _MODEL_FOLDERS:
            yield f"{'/'.join(parts)} lies in none of {', '.join(sorted(_MODEL_FOLDERS))}"
