# SPDX-License-Identifier: Apache-2.0
"""The kit itself: every rule of the contract asked of one source.

What can be said of a source without asking it for anything: `ttapi sources --validate`.
"""

from __future__ import annotations

import ast
import inspect
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ttapi.sources.contract import BorrowsSettings, LoginSource, SourceContext, StreamSource
from ttapi.sources.discovery import code_files, error_text
from ttapi.sources.testing.rules import RULES, SCENARIOS, stream_problems
from ttapi.sources.testing.world import Observed, Settings, World, observe
from ttapi.sources.validation import check_declaration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from ttapi.sources.contract import Resource, Source

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
        *_capability_problems(source),
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
        except KeyboardInterrupt:
            raise
        except BaseException as exc:  # noqa: BLE001 - a stranger's code may raise anything
            yield (
                f"missing_setting of {resource.name} without settings raises"
                f" {error_text(exc)}; it returns the name of the setting"
            )
            continue
        if missing is not None and missing not in source.setting_names:
            yield (
                f"missing_setting of {resource.name} names {missing!r}, which is none of setting_names"
            )


def _capability_problems(source: Source) -> Iterator[str]:
    """What a source may offer beside the contract, it offers whole."""
    if isinstance(source, BorrowsSettings) and not _are_names(source.borrows):
        yield f"borrows is {source.borrows!r}: a tuple of the names of sources"
    if hasattr(source, "secret_names") and not isinstance(source, LoginSource):
        yield "secret_names without prove_login(context), which tries them"
    if isinstance(source, LoginSource):
        if not _are_names(source.secret_names):
            yield f"secret_names is {source.secret_names!r}: a tuple of names of settings"
            return
        for name in source.secret_names:
            if name not in source.setting_names:
                yield f"secret_names names {name!r}, which is none of setting_names"


def _are_names(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(one, str) for one in value)


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


NOW = datetime(2024, 6, 14, 22, 0, tzinfo=UTC)
"""What a source is told for now unless a test says otherwise: a Friday after the close."""


@dataclass(frozen=True)
class Check:
    """One rule, to be asked by calling it; its text is a test's name."""

    name: str
    """`whole_answer`, `down`."""
    promise: str
    """The rule in a sentence."""
    find: Callable[[], Iterable[str]]

    def __call__(self) -> None:
        """*Raises* AssertionError naming what breaks the rule."""
        problems = list(dict.fromkeys(self.find()))
        if problems:
            raise AssertionError(f"{self.name}: {self.promise}\n  " + "\n  ".join(problems))

    def __str__(self) -> str:
        return self.name


def check_source(
    source: Callable[[], Source],
    *,
    settings: Settings,
    now: datetime = NOW,
    keys: Mapping[str, Sequence[str]] | None = None,
    span: tuple[date | None, date | None] = (None, None),
    **scenarios: Settings,
) -> None:
    """Nothing, when `source` keeps every rule of the contract.

    `source` is the class. `settings` are those of a healthy world with a few rows in it, or a
    function that makes that world and gives them. `keys` and `span`: what to ask of resources that
    require keys. `scenarios`, each settings or a function, bring the world into another state:
    `empty`, `late` (late and repeated rows), `drift` (a changed schema), `down` (503, no
    connection), `throttled` (429), `broken` (an answer that breaks off).

    *Raises* AssertionError with every rule that is broken and by what; TypeError for a scenario
    nobody knows.
    """
    broken = []
    for check in source_checks(
        source, settings=settings, now=now, keys=keys, span=span, **scenarios
    ):
        try:
            check()
        except AssertionError as exc:
            broken.append(str(exc))
    if broken:
        raise AssertionError(
            f"{len(broken)} rules of the contract are broken\n" + "\n".join(broken)
        )


def source_checks(
    source: Callable[[], Source],
    *,
    settings: Settings,
    now: datetime = NOW,
    keys: Mapping[str, Sequence[str]] | None = None,
    span: tuple[date | None, date | None] = (None, None),
    **scenarios: Settings,
) -> list[Check]:
    """The rules `check_source` asks, one by one: `@pytest.mark.parametrize("check", ..., ids=str)`.

    *Raises* TypeError for a scenario nobody knows.
    """
    unknown = sorted(set(scenarios) - set(SCENARIOS))
    if unknown:
        raise TypeError(f"{unknown[0]!r} is no scenario; known: {', '.join(SCENARIOS)}")
    bench = _Bench(source, settings, now, keys or {}, span)
    return [
        Check("declaration", "It declares what the contract asks for.", bench.declared),
        Check("stream", _promise(stream_problems), bench.streamed),
        *(Check(rule.__name__, _promise(rule), partial(bench.healthy, rule)) for rule in RULES),
        *(
            Check(name, _promise(SCENARIOS[name]), partial(bench.in_state, SCENARIOS[name], state))
            for name, state in scenarios.items()
        ),
    ]


@dataclass(frozen=True)
class _Bench:
    """One source and what it is asked with."""

    source: Callable[[], Source]
    settings: Settings
    now: datetime
    keys: Mapping[str, Sequence[str]]
    span: tuple[date | None, date | None]

    def declared(self) -> Iterator[str]:
        yield from static_problems(self.source())
        context = self._world(self.settings).context()
        source = self.source()
        missing = [source.missing_setting(resource, context) for resource in source.resources]
        if missing and all(missing):
            yield f"the settings given leave {missing[0]!r} missing: nothing can be asked"

    def healthy(self, rule: Callable[[World, Resource], Iterator[str]]) -> Iterator[str]:
        world = self._world(self.settings)
        for resource in self._configured(world):
            yield from self._found(resource, partial(rule, world))

    def in_state(
        self, rule: Callable[[Observed, World, Resource], Iterator[str]], state: Settings
    ) -> Iterator[str]:
        healthy = self._world(self.settings)
        seen = {r.name: observe(healthy, r) for r in self._configured(healthy)}
        world = self._world(state)
        for resource in self._configured(world):
            before = seen.get(resource.name)
            if before is not None:
                yield from self._found(resource, partial(rule, before, world))

    def _world(self, of: Settings) -> World:
        given = dict(of() if callable(of) else of)
        return World(self.source, given, self.now, self.keys, self.span)

    def _configured(self, world: World) -> Iterator[Resource]:
        source, context = world.make(), world.context()
        for resource in source.resources:
            if resource.storage != "log" and source.missing_setting(resource, context) is None:
                yield resource

    def streamed(self) -> Iterator[str]:
        source, world = self.source(), self._world(self.settings)
        logs = [one for one in source.resources if one.storage == "log"]
        if logs and isinstance(source, StreamSource):
            yield from stream_problems(source, logs, world.context(), self.keys)

    def _found(
        self, resource: Resource, find: Callable[[Resource], Iterator[str]]
    ) -> Iterator[str]:
        if resource.requires and resource.name not in self.keys:
            yield f"{resource.name}: requires keys; give keys={{{resource.name!r}: [...]}}"
            return
        try:
            yield from (f"{resource.name}: {text}" for text in find(resource))
        except Exception as exc:  # noqa: BLE001 - a stranger's code may raise anything
            yield f"{resource.name}: could not be asked: {type(exc).__name__}: {exc}"


def _promise(rule: Callable[..., object]) -> str:
    return (inspect.getdoc(rule) or rule.__name__).splitlines()[0]
