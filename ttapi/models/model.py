# SPDX-License-Identifier: Apache-2.0
"""One SQL model file as a value: header, statement, column comments.

A file is header comments and ONE statement. Views, tables and checks are a bare SELECT; a macro is
one `create macro`. The stem is the relation, the folder its schema (`views` and `macros`: main).

Words that cannot name a relation in some DuckDB that opens the published file.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Literal

from ttapi.errors import ModelError, UsageError
from ttapi.home import read_file
from ttapi.models.header import (
    HeaderCheck,
    checks_in,
    is_private,
    keys_of,
    line_of,
    names_in,
    split_header,
    ttl_of,
)
from ttapi.sqltext import utf8_text

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["view", "table", "macro"]

_FOLDERS: dict[str, tuple[str, Kind]] = {
    "staged": ("staged", "view"),
    "derived": ("derived", "table"),
    "views": ("main", "view"),
    "macros": ("main", "macro"),
}
_KINDS: dict[str, tuple[Kind, ...]] = {
    "staged": ("view", "table"),
    "derived": ("table", "view", "macro"),
    "views": ("view",),
    "macros": ("macro",),
}
_COLUMN_COMMENT = re.compile(
    r"(?:\bas\s+|\.|^\s*)\"?([a-z_][a-z0-9_]*)\"?\s*,?\s*--\s*(.+?)\s*$", re.IGNORECASE
)
_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*")
_MACRO = re.compile(
    r"create\s+(?:or\s+replace\s+)?(?:macro|function)\s+(?:\w+\.)?(\w+)\s*\((.*?)\)\s*as\s+(table\s+)?",
    re.IGNORECASE | re.DOTALL,
)
_AS_OF = re.compile(r"(\w+)\s*\(\s*as_of\s*,\s*(\w+)\s*\)(?:\s*:\s*(.+))?", re.DOTALL)


@dataclass(frozen=True)
class Model:
    """One SQL model."""

    name: str
    """`eod` for schema main, else `schema.stem`."""
    schema: str
    kind: Kind
    file: str
    """As shown in messages: relative to the folder it was found in, with that folder's name."""
    is_bundled: bool
    about: str
    grain: tuple[str, ...]
    ttl: str | None
    checks: tuple[HeaderCheck, ...]
    builder: str | None
    """Dotted module whose `build` makes the table; None: the SQL does."""
    incremental: str | None
    """Key column whose changed values alone are rebuilt; None: the whole table."""
    through: str | None
    """The stored table through which changes reach this one where they are not told by its key;
    None: such a change rebuilds the whole."""
    keys: str | None
    """The relation of whose keys a whole rebuild takes some at a time; None: all at once."""
    is_private: bool
    as_of: str | None
    """Its as-of form as the header asks for it, `eod_asof(as_of, symbol): what it says`; None: no macro."""
    body: str
    """The statement, without its semicolon, with a line end behind it."""
    body_line: int
    """1-based line of the file on which `body` begins."""
    column_comments: dict[str, str]
    fingerprint: str
    form_of: str | None = None
    """Of a macro: the relation whose as-of form it is, by that one's header; None: it has a file."""

    @property
    def qualified(self) -> str:
        """`schema.stem`, as written in SQL."""
        return self.name if "." in self.name else f"main.{self.name}"

    @property
    def stem(self) -> str:
        """The relation without its schema."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True)
class Macro:
    """The parts of a macro model's statement."""

    parameters: tuple[str, ...]
    is_table: bool
    body: str
    """What follows `as` or `as table`."""
    defaults: Mapping[str, str]
    """SQL of the parameters that may be left out, by name."""


@dataclass(frozen=True)
class CheckModel:
    """One file of `sql/checks/`: a SELECT of bad rows; `dataset` is what it reads first."""

    name: str
    file: str
    about: str
    body: str
    body_line: int
    fingerprint: str


def macro_parts(model: Model) -> Macro:
    """Parameters and body of a macro model.

    *Raises* ModelError when the statement is no single `create macro` named like its file.
    """
    match = _MACRO.match(model.body)
    if match is None or match[1].lower() != model.stem:
        raise ModelError(
            f"a macro file holds one statement, create or replace macro {model.stem}(...) as ...",
            file=model.file,
            line=model.body_line,
        )
    declared = [p.partition(":=") for p in match[2].split(",") if p.strip()]
    parameters = tuple(name.strip().lower() for name, _, _ in declared)
    defaults = {name.strip().lower(): sql.strip() for name, given, sql in declared if given}
    for parameter in parameters:
        if not re.fullmatch(r"\w+", parameter):
            raise ModelError(
                f"macro parameter {parameter!r} has a type; older clients refuse typed parameters",
                file=model.file,
                line=model.body_line,
            )
    return Macro(parameters, bool(match[3]), model.body[match.end() :], defaults)


def dataset_name(schema: str, stem: str) -> str:
    """The catalog's name of a relation: flat in schema main."""
    return stem if schema in {"", "main"} else f"{schema}.{stem}"


def read_model(path: Path, folder: Path, *, is_bundled: bool) -> Model:
    """The model in `path`, a file below the model folder `folder`.

    *Raises* ModelError naming file and line.
    """
    if not is_bundled:
        return _read_model(path, folder, is_bundled=False)
    # Every home of a process has the same: they are taken apart once.
    facts = path.stat()
    return _read_bundled(path, folder, facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=512)
def _read_bundled(path: Path, folder: Path, mtime_ns: int, size: int) -> Model:
    del mtime_ns, size  # of whoever asks: another file is read anew
    return _read_model(path, folder, is_bundled=True)


def _read_model(path: Path, folder: Path, *, is_bundled: bool) -> Model:
    relative = path.relative_to(folder)
    file = f"{folder.name}/{relative.as_posix()}"
    if len(relative.parts) != 2 or relative.parts[0] not in _FOLDERS:
        raise ModelError(
            "a model file lies in one of staged/, derived/, views/, macros/ (a check in checks/)",
            file=file,
        )
    schema, default_kind = _FOLDERS[relative.parts[0]]
    stem = path.stem
    if not _IDENTIFIER.fullmatch(stem):
        raise ModelError(f"{stem!r} cannot be a relation: use lower case, digits and _", file=file)
    text = _read(path, file)
    header, body, body_line = split_header(text, file)
    kind = header.get("kind", default_kind)
    if kind not in _KINDS[relative.parts[0]]:
        kinds = " or ".join(_KINDS[relative.parts[0]])
        raise ModelError(
            f"kind {kind!r} does not belong in {relative.parts[0]}/, which holds {kinds}",
            file=file,
            line=line_of("kind", text),
        )
    builder = header.get("builder")
    incremental, _, through = header.get("incremental", "").partition(" through ")
    return Model(
        name=dataset_name(schema, stem),
        schema=schema,
        kind=kind,
        file=file,
        is_bundled=is_bundled,
        about=header.get("about", ""),
        grain=names_in(header.get("grain", "")),
        ttl=ttl_of(header.get("ttl"), text, file),
        checks=checks_in(header.get("check", ""), file, line_of("check", text)),
        builder=builder,
        incremental=incremental or None,
        through=through or None,
        keys=keys_of(header, incremental, text, file),
        is_private=is_private(header.get("private", "false"), text, file),
        as_of=header.get("as_of"),
        body=body,
        body_line=body_line,
        column_comments=column_comments(body),
        fingerprint=_fingerprint(text, builder, file),
    )


def form_asked_for(model: Model) -> Model | None:
    """The macro that `model`'s header `as_of` asks for; None: it asks for none.

    Its body reads the relation and answers with an error, until it is written out (`models/as_of.py`).

    *Raises* ModelError for a header that is no call of `NAME_asof(as_of, key)`.
    """
    if model.as_of is None:
        return None
    match = _AS_OF.fullmatch(model.as_of)
    if match is None or match[1] != f"{model.stem}_asof" or model.kind == "macro":
        raise ModelError(
            f"no as-of form of {model.name}: {model.as_of!r}",
            file=model.file,
            hint=f"-- as_of: {model.stem}_asof(as_of, symbol) beside a view or a table",
        )
    about = match[3] or (
        f"{model.name} of one {match[2]} as it could have been known on a day (its whole day,"
        " New York) or at an instant (UTC)."
    )
    form = replace(
        model, name=dataset_name(model.schema, match[1]), kind="macro", about=about, grain=(),
        ttl=None, checks=(), builder=None, incremental=None, through=None, keys=None, as_of=None,
        column_comments={}, form_of=model.name,
    )  # fmt: skip
    # Whoever stores it as it is here must not be answered with every row there is today.
    unwritten = (
        f"select v.* from {model.qualified} as v where error('{match[1]} was not written out')\n"
    )
    return replace(form, body=form_body(form, match[2], unwritten))


def form_body(form: Model, key: str, select: str) -> str:
    """The statement that makes the as-of form `form` of `select`."""
    return f"create or replace macro {form.stem}(as_of, {key}) as table\n{select}"


def named_by(relative: PurePath) -> str | None:
    """The dataset that a file at `relative` of its model folder defines; None where it can define none."""
    if len(relative.parts) != 2 or relative.parts[0] not in _FOLDERS:
        return None
    return dataset_name(_FOLDERS[relative.parts[0]][0], relative.stem)


def read_check(path: Path, folder: Path) -> CheckModel:
    """The check in `path`, a SELECT of bad rows."""
    file = f"{folder.name}/{path.relative_to(folder).as_posix()}"
    text = _read(path, file)
    header, body, body_line = split_header(text, file)
    about = header.get("about", "")
    return CheckModel(path.stem, file, about, body, body_line, _fingerprint(text, None, file))


def column_comments(body: str) -> dict[str, str]:
    """Comment by output column, from `... as name, -- comment` lines; the last one wins."""
    found: dict[str, str] = {}
    for line in body.splitlines():
        if match := _COLUMN_COMMENT.search(line):
            found[match[1].lower()] = match[2]
    return found


def _read(path: Path, file: str) -> str:
    try:
        return utf8_text(read_file(path), "it")
    except UsageError as exc:
        raise ModelError(exc.message, file=file, hint=exc.hint) from exc
    except OSError as exc:
        raise ModelError(f"it cannot be read: {exc.strerror}", file=file) from exc


def _fingerprint(text: str, builder: str | None, file: str) -> str:
    digest = hashlib.blake2b(text.encode(), digest_size=16)
    if builder:
        try:
            spec = importlib.util.find_spec(builder)
        except ImportError:
            spec = None
        if spec is None or spec.origin is None:
            line = line_of("builder", text)
            raise ModelError(f"builder {builder!r} is no importable module", file=file, line=line)
        digest.update(Path(spec.origin).read_bytes())
    return digest.hexdigest()


# Tried on 1.2, 1.3, 1.4, 1.5 and 2.0: `create table WORD`, read with and without an alias.
RESERVED = frozenset(
    """
    all analyse analyze and anti any array as asc asof asymmetric at authorization binary both
    by case cast check collate collation column concurrently constraint create cross default
    deferrable desc describe distinct do else end except false fetch for foreign freeze from
    full glob grant group having ilike in initially inner intersect into is isnull join lambda
    lateral leading left like limit natural not notnull null offset on only or order outer
    overlaps pivot pivot_longer pivot_wider placing positional primary qualify references
    returning right select semi show similar some summarize symmetric table tablesample then
    to trailing true union unique unpack unpivot using variadic verbose when where window with
    """.split()  # noqa: SIM905 - a hundred quotes would hide the words
)
"""Lower case; the union over all supported engines."""
