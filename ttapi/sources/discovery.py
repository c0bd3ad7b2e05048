# SPDX-License-Identifier: Apache-2.0
"""Which sources are installed: entry points, then the files of TTAPI_HOME/sources.

Nothing a plugin does makes discovery fail: a broken one is listed with what is wrong and what
would cure it.

A source's code kept from bringing down what is not its own: it may be a stranger's.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Iterable
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ttapi.errors import SourceError, TtapiError
from ttapi.home import entries_below, open_file, read_file
from ttapi.sources.contract import Unit
from ttapi.sources.validation import check_declaration, kind_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import ModuleType

    from ttapi.sources.contract import Batch, Source

GROUP = "ttapi.sources"
_HERE = Path(__file__).resolve().parent
_SHARED = ("dates.py", "folder.py", "instants.py", "response_body.py", "text_files.py")
"""What makes rows of bytes for several sources: a change of it is a change of theirs."""


@dataclass(frozen=True)
class InstalledSource:
    """One plugin as it was found; exactly one of `source` and `error` is given."""

    name: str
    """What the source calls itself; the entry point's or file's name where it cannot say."""
    origin: str
    """The entry point's value or the file's path."""
    source: Source | None = None
    error: str | None = None


def installed_sources(
    folder: Path | None = None, entries: Iterable[EntryPoint] | None = None
) -> list[InstalledSource]:
    """Every plugin: entry points by name, then the Python files of `folder` by name.

    `entries` stands for the installed entry points where a caller knows better.
    """
    found: list[InstalledSource] = []
    known = entry_points(group=GROUP) if entries is None else entries
    for entry in sorted(known, key=lambda entry: (entry.name, entry.value)):
        found.append(_load(entry.name, entry.value, entry.load, found))
    for file in _plugin_files(folder):
        found.append(_load(file.stem, str(file), _opener(file), found))
    return found


def source_fingerprint(source: Source) -> str:
    """A hash of a source's version and of the code that makes it.

    A plugin of one file is hashed with that file, one that is a package with every module in it;
    a bundled one also with the modules all bundled sources share.
    """
    digest = hashlib.blake2b(source.version.encode(), digest_size=16)
    for file in code_files(type(source)):
        digest.update(f"\0{file.name}\0".encode())
        try:
            digest.update(read_file(file))
        except OSError as exc:
            # A module that cannot be read is in nobody's way until it is imported.
            digest.update(str(exc.strerror).encode())
    return digest.hexdigest()


def _plugin_files(folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    found = [file for file in entries_below(folder, ".py") if file.suffix == ".py"]
    return [file for file in found if file.parent == folder and not file.name.startswith("_")]


def _load(
    name: str, origin: str, load: Callable[[], object], earlier: Iterable[InstalledSource]
) -> InstalledSource:
    try:
        with redirect_stdout(sys.stderr):
            loaded = load()
            source = loaded() if isinstance(loaded, type) else loaded
            problems = check_declaration(source)
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - a stranger's code may raise anything
        error = f"{origin} does not load: {type(exc).__name__}: {exc}; mend or remove it"
        return InstalledSource(name, origin, error=error)
    if problems:
        error = f"{origin} breaks the plugin contract: {'; '.join(problems)}"
        return InstalledSource(name, origin, error=error)
    checked = cast("Source", source)
    clash = next(_clashes(checked, earlier), None)
    if clash:
        return InstalledSource(checked.name, origin, error=f"{origin} {clash}")
    return InstalledSource(checked.name, origin, checked)


def _clashes(source: Source, earlier: Iterable[InstalledSource]) -> Iterator[str]:
    tables = {resource.table for resource in source.resources}
    for other in earlier:
        if other.source is None:
            continue
        if other.source.name == source.name:
            yield (
                f"is called {source.name!r}, as is {other.origin}; rename the source or remove one"
            )
        for resource in other.source.resources:
            if resource.table in tables:
                yield (f"fills raw.{resource.table}, as does {other.origin}; name another table")


def _opener(file: Path) -> Callable[[], object]:
    return lambda: _plugin_of(_import_file(file))


def _import_file(file: Path) -> ModuleType:
    open_file(file).close()  # for a pipe the interpreter would wait
    name = f"ttapi_home_sources_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python module")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses of a module look it up by name while it is being executed.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _plugin_of(module: ModuleType) -> object:
    """The module's SOURCE, else its one class that has `resources`."""
    if hasattr(module, "SOURCE"):
        return module.SOURCE
    classes = [
        value
        for value in vars(module).values()
        if inspect.isclass(value)
        and value.__module__ == module.__name__
        and hasattr(value, "resources")
    ]
    if len(classes) != 1:
        names = ", ".join(sorted(kind.__name__ for kind in classes)) or "none"
        raise ImportError(
            f"expected one class with `resources`, found {names}; set SOURCE = <the class>"
        )
    return cast("object", classes[0])


def code_files(kind: type) -> list[Path]:
    """The modules a source's class is made of, its own package or file and what it shares."""
    file = Path(inspect.getfile(kind)).resolve()
    is_package = (file.parent / "__init__.py").exists()
    is_alone = file.parent == _HERE or not is_package
    own = [file] if is_alone else entries_below(file.parent, ".py")
    if not file.is_relative_to(_HERE):
        return own
    # `calendar_rows.py` belongs to `calendar.py`.
    beside = sorted(_HERE.glob(f"{file.stem}_*.py")) if is_alone else []
    return own + beside + [_HERE / name for name in _SHARED]


@contextmanager
def guarded(source: str) -> Iterator[None]:
    """Turn whatever the source raises inside the block, but ttapi's own errors, into a SourceError.

    What it prints goes to standard error: standard output carries data only.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except TtapiError:
        raise
    except (Exception, SystemExit) as exc:
        text = f"source {source!r} failed with {type(exc).__name__}: {exc}"
        raise SourceError(text, hint="ttapi sources names its file") from exc


def units_given(method: str, value: object) -> Sequence[Unit]:
    """What `method` of a source gave. *Raises* TypeError where that is no list of units."""
    units = tuple(value) if isinstance(value, Iterable) else (value,)
    if not all(isinstance(unit, Unit) for unit in units):
        raise TypeError(f"{method}() gave {kind_text(value)}, not a list of Unit")
    return units


def batches_given(value: object) -> Iterable[Batch]:
    """What `fetch` of a source gave. *Raises* TypeError where that is nothing to go through."""
    if not isinstance(value, Iterable):
        raise TypeError(f"fetch() gave {kind_text(value)}, and is to yield a Batch at a time")
    return value


def guarded_batches(source: str, batches: Iterable[Batch]) -> Iterator[Batch]:
    """`batches`, with what producing one of them raises told as the source's failure."""
    with guarded(source):
        iterator = iter(batches_given(batches))
    while True:
        with guarded(source):
            try:
                batch = next(iterator)
            except StopIteration:
                return
        yield batch
