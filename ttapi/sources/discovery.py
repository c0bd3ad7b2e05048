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
import io
import os
import sys
import threading
from collections.abc import Iterable
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

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
        with nullcontext() if origin.startswith(_OWN) else _ASIDE:
            loaded = load()
            source = loaded() if isinstance(loaded, type) else loaded
            problems = check_declaration(source)
    except KeyboardInterrupt:
        raise
    except BaseException as exc:  # noqa: BLE001 - a stranger's code may raise anything
        error = f"{origin} does not load: {error_text(exc)}; mend or remove it"
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


def error_text(error: BaseException) -> str:
    """What a stranger's code raised, by its kind and in its words where it has any."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - its words are the stranger's code too
        return type(error).__name__


@contextmanager
def guarded(source: Source) -> Iterator[None]:
    """Turn whatever `source` raises inside the block, but ttapi's own errors, into a SourceError.

    What it writes goes to standard error: standard output carries data only. An interrupt stays one.
    """
    try:
        # Of ttapi's own none writes, and thousands of files are not to pay for it.
        with nullcontext() if type(source).__module__.startswith(_OWN) else _ASIDE:
            yield
    except (TtapiError, KeyboardInterrupt):
        raise
    # What asyncio, generators and Rust raise is no Exception, and as little to do with the others.
    except BaseException as exc:
        text = f"source {source.name!r} failed with {error_text(exc)}"
        raise SourceError(text, hint="ttapi sources names its file") from exc


class _Talk(io.TextIOBase):
    """Standard error as a stranger has it: whoever closes it closes nothing."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.buffer = getattr(stream, "buffer", None)

    @property
    def encoding(self) -> str:  # type: ignore[override] # a stream over bytes has one, and no setter
        return self._stream.encoding

    def write(self, text: str) -> int:
        return self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def writable(self) -> bool:
        return True

    def reconfigure(self, **_: object) -> None:
        """Nothing: how it is written is not the stranger's."""

    def close(self) -> None:
        """Nothing."""


class _Aside:
    """While any thread is inside, standard output is standard error, for the process's children too.

    Afterwards both are there as they were, whatever was closed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._streams: tuple[TextIO, TextIO] = (sys.stdout, sys.stderr)
        self._kept: list[tuple[int, int]] = []

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._begin()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._end()

    def _begin(self) -> None:
        self._streams = (sys.stdout, sys.stderr)
        talk = _Talk(sys.stderr)
        with suppress(OSError, ValueError):
            # Data that was written before goes where it was to go.
            sys.stdout.flush()
        sys.stdout = sys.stderr = talk
        # A number that is closed, as in a service, has nothing to be kept.
        with suppress(OSError):
            self._kept = [(number, os.dup(number)) for number in (1, 2)]
            os.dup2(2, 1)

    def _end(self) -> None:
        with suppress(OSError, ValueError):
            self._streams[1].flush()
        for number, kept in self._kept:
            os.dup2(kept, number)
            os.close(kept)
        self._kept = []
        sys.stdout, sys.stderr = (
            _opened_again(stream, number) for number, stream in enumerate(self._streams, 1)
        )


def _opened_again(stream: TextIO, number: int) -> TextIO:
    """`stream`, or another on the same number where it was closed."""
    if stream is None or not stream.closed:
        return stream
    return open(number, "w", encoding="utf-8", closefd=False)


_OWN = "ttapi.sources."
"""How the modules of ttapi's own sources begin."""
_ASIDE = _Aside()


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


def guarded_batches(source: Source, batches: Iterable[Batch]) -> Iterator[Batch]:
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
