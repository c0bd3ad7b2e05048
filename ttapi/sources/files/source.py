# SPDX-License-Identifier: Apache-2.0
"""The source `files`: CSV and Parquet files of one's own, mapped to resources by settings."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ttapi.errors import UsageError
from ttapi.sources.files.kinds import SPECS, spec_of
from ttapi.sources.folder import origin_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ttapi.sources.contract import Batch, Resource, SourceContext, Unit, UnitRequest
    from ttapi.sources.folder import FolderTree, ReadBytes

FORMATS = {
    "csv": (*(".csv", ".txt", ".tsv"), *(".csv.gz", ".txt.gz", ".tsv.gz")),
    "parquet": (".parquet", ".pq"),
}
"""Formats, and the suffixes that mean them."""
FIELDS = ("path", "format", "columns", "delimiter")
_DELIMITERS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}


@dataclass(frozen=True)
class FileSettings:
    """The settings of one resource."""

    path: Path
    format: str | None
    """csv or parquet; None: by suffix."""
    renames: Mapping[str, str]
    """Source column, in lower case, of each target column."""
    delimiter: str | None


class FilesSource:
    """Reads files of one's own into each resource of SPECS; CSV files may be packed (`.csv.gz`).

    Settings, each with the resource's name before it: `_path` a folder, a file or a glob;
    `_format` csv or parquet (default: by suffix); `_columns` renames, `target=source,...`;
    `_delimiter` one character or tab (default: the one the header uses most).

    `option_quotes`: expiration, strike and type of each contract, or its OCC symbol, and what is
    quoted; a row without them is the underlying's. A column names the underlying (`symbol`,
    `underlying`, `ticker`), else the folder (`AAPL/20140602.csv.gz`), else the file
    (`AAPL_2014-06-02.csv`). A column gives the instant (`snapshot_at`, `quote_datetime`, `timestamp`,
    `quote_time`; UTC where it has no offset), else the date (`date`, `quote_date`), else the file's
    name; a date means the close of its session. `close` counts as the mark where a file has neither
    `bid`, `ask` nor `mark`. Strikes are in USD: thousandths are not told apart from them.

    `rates`: date, tenor (days, or `3M`, `1Y`) and rate, a fraction a year, continuous, of 365 days.
    """

    name = "files"
    about = "your own CSV and Parquet files: corporate actions, universes, option quotes, rates"
    version = "1"
    resources: tuple[Resource, ...] = tuple(spec.resource for spec in SPECS)
    setting_names = tuple(f"{spec.resource.name}_{field}" for spec in SPECS for field in FIELDS)
    sql_folder: Path | None = None

    def __init__(self, read: ReadBytes | None = None) -> None:
        self._read = read

    def missing_setting(self, resource: Resource, context: SourceContext) -> str | None:
        """`<resource>_path` where it is not set."""
        name = f"{resource.name}_path"
        return None if context.settings.get(name, "").strip() else name

    def survey(self, resource: Resource, context: SourceContext) -> Sequence[Unit]:
        """The files that exist now, sorted. *Raises* UsageError for a wrong path or setting."""
        return self._tree(file_settings(resource, context)).units()

    def fetch(
        self, resource: Resource, requests: Sequence[UnitRequest], context: SourceContext
    ) -> Iterator[Batch]:
        """One batch per file."""
        from ttapi.sources.files.load import load_file  # noqa: PLC0415 - brings Polars

        spec = spec_of(resource)
        settings = file_settings(resource, context)
        tree = self._tree(settings)
        for request in requests:
            yield load_file(tree, request, spec, settings, context.now)

    def units_holding(
        self,
        resource: Resource,
        units: Sequence[Unit],
        values: frozenset[str],
        context: SourceContext,
    ) -> Sequence[Unit]:
        """The files in whose name or text one of the values stands; every file that is not plain text."""
        from ttapi.sources.folder import files_naming  # noqa: PLC0415 - not to list

        spec, tree = spec_of(resource), self._tree(file_settings(resource, context))
        named = {unit.key for unit in files_naming(tree, units, values)}
        if spec.symbol_of_place is not None:
            places = ((unit.key, origin_of(tree.root, unit.key)) for unit in units)
            named |= {key for key, place in places if spec.symbol_of_place(place) in values}
        return [unit for unit in units if unit.key in named]

    def _tree(self, settings: FileSettings) -> FolderTree:
        from ttapi.sources.folder import ChosenFiles, FolderTree, read_all  # noqa: PLC0415 - not to list

        read = self._read or read_all
        suffixes = FORMATS[settings.format] if settings.format else sum(FORMATS.values(), ())
        path = settings.path
        if path.is_dir():
            return FolderTree(path, lambda key: key.lower().endswith(suffixes), read)
        if path.exists():
            return ChosenFiles(path.parent, lambda _: True, read, glob.escape(path.name))
        if not glob.has_magic(str(path)):
            raise UsageError(f"{path} does not exist", hint="name a folder, a file or a glob")
        parts = path.parts
        fixed = next(place for place, part in enumerate(parts) if glob.has_magic(part))
        root, pattern = Path(*parts[:fixed]), "/".join(parts[fixed:])
        return ChosenFiles(root, lambda _: True, read, pattern)


def file_settings(resource: Resource, context: SourceContext) -> FileSettings:
    """The settings of one resource, checked. *Raises* UsageError naming the one that is wrong."""
    prefix = f"[sources.files] {resource.name}_"
    given = {
        field: context.settings.get(f"{resource.name}_{field}", "").strip() for field in FIELDS
    }
    kind = given["format"].lower()
    if kind and kind not in FORMATS:
        raise UsageError(f"{prefix}format = {kind!r} is unknown", hint="csv or parquet")
    delimiter = _DELIMITERS.get(given["delimiter"].lower(), given["delimiter"])
    # A tab itself is a blank that stripping took away.
    if not delimiter and "\t" in context.settings.get(f"{resource.name}_delimiter", ""):
        delimiter = "\t"
    if len(delimiter) > 1:
        raise UsageError(
            f"{prefix}delimiter = {delimiter!r} is unknown", hint="one character, or tab"
        )
    return FileSettings(
        path=Path(given["path"]).expanduser(),
        format=kind or None,
        renames=_renames(given["columns"], resource, prefix),
        delimiter=delimiter or None,
    )


def _renames(text: str, resource: Resource, prefix: str) -> dict[str, str]:

    from ttapi.sources.text_files import clean_name  # noqa: PLC0415 - brings Polars

    spec = spec_of(resource)
    targets = [column.name for column in (*resource.columns, *spec.inputs)]
    renames: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        target, equals, name = (part.strip() for part in pair.partition("="))
        if not equals or not name:
            raise UsageError(f"{prefix}columns: {pair!r} is no target=source")
        if target not in targets:
            raise UsageError(
                f"{prefix}columns: {target!r} is no column", hint=f"one of {', '.join(targets)}"
            )
        renames[target] = clean_name(name)
    return renames
