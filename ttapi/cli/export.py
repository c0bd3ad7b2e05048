# SPDX-License-Identifier: Apache-2.0
"""`ttapi export`: relations or queries as files; a shareable copy of the database."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export)


def export(context: typer.Context) -> None:
    """Write relations to Parquet or CSV files."""
