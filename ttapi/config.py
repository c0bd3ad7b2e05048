# SPDX-License-Identifier: Apache-2.0
"""Where things lie and how they are set: the home folder, `ttapi.toml`, the environment.

Precedence: flag, environment, `ttapi.toml`, default. This module alone knows where the bundled
`sql/` and `migrations/` folders are. The standard library serves here: `status` must answer in
200 ms, and importing pydantic-settings alone takes 180 ms of them.

What the extras of the distribution bring, and the command that installs it where ttapi runs.

The distribution on an index and the import have different names, ttapi may have come from a wheel, a
checkout or an index, and its environment may lack pip: so the packages themselves are named, for
this very interpreter.
"""

from __future__ import annotations

import math
import re
import shlex
import sys
import tomllib
from dataclasses import dataclass, field, fields
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ttapi.errors import UsageError
from ttapi.home import read_file
from ttapi.secret import Secret
from ttapi.sqltext import utf8_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ttapi.home import Home


_PACKAGE = Path(__file__).resolve().parent


def bundled_folder(name: str) -> Path:
    """The folder of bundled `sql` or `migrations` files, in a wheel or in a checkout.

    *Raises* UsageError when the installation lacks it.
    """
    for candidate in (_PACKAGE / "_bundled" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise UsageError(f"this installation of ttapi has no {name!r} folder", hint="reinstall ttapi")


DEFAULT_MEMORY = "4GB"
"""Of the engine while a refresh writes."""


def _setting(
    section: str,
    default: object,
    form: str | None = None,
    example: str | None = None,
    *,
    key: str | None = None,
) -> Any:
    """A field of `Settings`: its section and key in `ttapi.toml`, the form of its text, an example of it."""
    return field(
        default=default,
        metadata={"section": section, "key": key, "form": form, "example": example},
    )


@dataclass(frozen=True)
class Settings:
    """Every setting; each field's text is its documentation."""

    display_timezone: str = _setting(
        "display", "America/New_York", example="America/New_York", key="timezone"
    )
    """`[display] timezone`: the zone in which table output shows instants."""
    display_format: str = _setting(
        "display",
        "auto",
        r"auto|duckbox|box|table|markdown|line|csv|json|jsonl|html",
        "auto",
        key="format",
    )
    """`[display] format`: how `ttapi sql` shows answers unless told; `auto` is duckbox on a terminal,
    else csv."""
    export_datasets: tuple[str, ...] = _setting("export", (), example="eod", key="datasets")
    """`[export] datasets`: relations written again after each publication that changed them."""
    export_formats: tuple[str, ...] = _setting(
        "export", ("parquet",), example="parquet,csv", key="formats"
    )
    """`[export] formats`: `parquet`, `csv` or both."""
    universe_default: str | None = _setting("universe", None, example="dow_30", key="default")
    """`[universe] default`: the list that serves queries which bind no symbol; None: everything."""
    max_stale: str = _setting(
        "refresh",
        "5 sessions",
        r"\d+ sessions?|next close( \+ \d+[smhdw])?|\d+(\.\d+)?[smhdw]",
        "5 sessions",
    )
    """`[refresh] max_stale`: how old a snapshot may be when it answers because the file is locked."""
    max_calls: int = _setting("refresh", 200, r"\d+", "200")
    """`[refresh] max_calls`: source calls a query may cause without `--yes`."""
    max_seconds: float = _setting("refresh", 30.0, example="30")
    """`[refresh] max_seconds`: predicted seconds a query may spend on refreshing without `--yes`."""
    memory_limit: str = _setting(
        "store",
        DEFAULT_MEMORY,
        r"(?=.*[1-9])(\d{1,6}(\.\d+)? ?[KMGT]i?B|(\d{1,2}(\.\d+)?|100) ?%)",
        "4GB",
    )
    """`[store] memory_limit`: the engine's memory while a refresh writes."""
    snapshots_kept: int = _setting("store", 2, r"\d+", "2")
    """`[store] snapshots_kept`: published generations kept besides the current one."""
    stream_interval: float = _setting("stream", 1.0, r"\d+(\.\d+)?", "1", key="interval")
    """`[stream] interval`: seconds in which one quote, last price or Greeks a symbol is kept; 0: all of
    them. Prints are kept all."""
    stream_keep_days: int = _setting("stream", 0, r"\d+", "30", key="keep_days")
    """`[stream] keep_days`: days after which recorded events are removed, while a stream runs; 0: they
    stay."""
    stream_keep_gb: float = _setting("stream", 0.0, r"\d+(\.\d+)?", "20", key="keep_gb")
    """`[stream] keep_gb`: gigabytes that recorded events take in the file at most: the oldest are removed
    first, while a stream runs; 0: as many as come."""
    shell_editing_mode: str = _setting("shell", "emacs", r"emacs|vi", "vi", key="editing_mode")
    """`[shell] editing_mode`: keys of the shell's line editor, `emacs` or `vi`."""
    serve_keep_fresh: tuple[str, ...] = _setting(
        "serve", ("all",), example="eod,market_metrics", key="keep_fresh"
    )
    """`[serve] keep_fresh`: datasets, views or sources that the daemon keeps inside their TTL; `all`, or
    `none`."""
    serve_max_calls: int = _setting("serve", 2000, r"\d+", "2000", key="max_calls")
    """`[serve] max_calls`: source calls that the daemon makes by itself in an hour; what would take more is
    left alone, and told."""
    serve_closing_chains: tuple[str, ...] = _setting(
        "serve", (), example="SPY,SPX", key="closing_chains"
    )
    """`[serve] closing_chains`: underlyings (upper case) and lists whose option chains the daemon asks for five
    minutes before each close, early ones too."""
    serve_max_rows: int = _setting("serve", 10_000, r"0*[1-9]\d{0,8}", "10000", key="max_rows")
    """`[serve] max_rows`: rows of one answer of SQL over HTTP."""
    serve_window_rows: int = _setting("serve", 100_000, r"0*[1-9]\d{0,5}", "100000", key="window_rows")  # fmt: skip
    """`[serve] window_rows`: rows of one piece of a relation over HTTP."""
    serve_max_bytes: int = _setting("serve", 16 * 1024**2, r"0*[1-9]\d{0,9}", "16777216", key="max_bytes")  # fmt: skip
    """`[serve] max_bytes`: bytes of one answer of SQL over HTTP, as Arrow."""
    serve_max_seconds: float = _setting(
        "serve", 10.0, r"(?=.*[1-9])\d{1,4}(\.\d+)?", "10", key="max_seconds"
    )
    """`[serve] max_seconds`: seconds one query of SQL over HTTP may run."""
    serve_requests_per_second: float = _setting(
        "serve", 100.0, r"(?=.*[1-9])\d{1,6}(\.\d+)?", "100", key="requests_per_second"
    )
    """`[serve] requests_per_second`: of one user in the long run, and as many at once."""
    serve_max_body: int = _setting("serve", 1024 * 1024, r"0*[1-9]\d{0,8}", "1048576", key="max_body")  # fmt: skip
    """`[serve] max_body`: bytes of the body of one request."""
    serve_max_depth: int = _setting("serve", 32, r"0*[1-9]\d{0,2}", "32", key="max_depth")
    """`[serve] max_depth`: how deep lists and objects of a body may be in one another."""
    serve_logins: int = _setting("serve", 5, r"0*[1-9]\d{0,4}", "5", key="logins")
    """`[serve] logins`: attempts to log in under one name at once, and one more each half minute; four times as many
    from one address, and one more every five seconds."""
    serve_sockets: int = _setting("serve", 20, r"0*[1-9]\d{0,5}", "20", key="sockets")
    """`[serve] sockets`: WebSockets of one user."""
    serve_topics: int = _setting("serve", 500, r"0*[1-9]\d{0,5}", "500", key="topics")
    """`[serve] topics`: topics of one WebSocket."""
    serve_messages: int = _setting("serve", 50, r"0*[1-9]\d{0,5}", "50", key="messages")
    """`[serve] messages`: a second of one WebSocket in the long run, twice as many at once; more wait to be read."""
    serve_share_personal: bool = _setting(
        "serve", default=False, form=r"true|false", example="false", key="share_personal"
    )
    """`[serve] share_personal`: whether a second user of the daemon, and who reaches it from other machines,
    sees data whose licence is personal, which terms of vendors mostly forbid."""
    serve_hosts: tuple[str, ...] = _setting("serve", (), example="ttapi.example.com", key="hosts")
    """`[serve] hosts`: names by which others reach the daemon, beside its addresses, each with its port where that
    is neither the daemon's own nor the usual one. Host and Origin may say them, and no others."""
    sources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """`[sources.<name>]`: each source's own fields, as text."""
    named_sources: tuple[str, ...] = ()
    """Sources that have a section in `ttapi.toml`; the environment may hold other things."""
    places: Mapping[str, str] = field(default_factory=dict, compare=False)
    """By field that is set: the variable, or the file and the name, for whoever finds it wrong."""


_DECLARED = {one.name: one for one in fields(Settings) if one.metadata}
_TOML_NAMES = {
    (one.metadata["section"], one.metadata["key"] or name): name for name, one in _DECLARED.items()
}
"""Field by section and key."""
_SECRET_SETTING = re.compile(r"(secret|token|password|key)$")
"""Settings of sources, by the end of their names, whose values are nobody's business."""
# Names in TTAPI_* that are not settings of a source.
_RESERVED = {"TTAPI_HOME", "TTAPI_NOW", "TTAPI_REALDATA"}


def load_settings(home: Home, environ: Mapping[str, str]) -> Settings:
    """The settings in force for `home`.

    *Raises* UsageError naming file, field and what would have worked.
    """
    document = _read_toml(home.settings_file)
    values: dict[str, object] = {}
    sources: dict[str, dict[str, str]] = {}
    named = document.get("sources")
    for section, body in document.items():
        if not isinstance(body, dict):
            raise UsageError(f"{home.settings_file}: {section!r} must be a section, [{section}]")
        if section == "sources":
            for name, block in body.items():
                if not isinstance(block, dict):
                    raise UsageError(
                        f"{home.settings_file}: [sources] {name} must be a section, [sources.{name}]"
                    )
                sources[name] = _flatten(block)
            continue
        for key, value in body.items():
            values[_setting_name(section, key, home.settings_file)] = value
    places = _merge_variables(environ, values, home.settings_file)
    for variable, text in environ.items():
        _merge_source_variable(variable, text, sources)
    _remember_secrets(sources)
    _refuse_wrong(values, places)
    typed = {name: _typed(name, value, places[name]) for name, value in values.items()}
    named_sources = tuple(named) if isinstance(named, dict) else ()
    return Settings(sources=sources, named_sources=named_sources, places=places, **typed)  # type: ignore[arg-type]  # each value was typed above


def _merge_variables(
    environ: Mapping[str, str], values: dict[str, object], file: Path
) -> dict[str, str]:
    """Where each of `values` comes from, those of the environment taken in: a variable, or a key of the file."""
    places: dict[str, str] = {}
    for (section, key), name in _TOML_NAMES.items():
        if name in values:
            places[name] = f"{file}: [{section}] {key}"
        variable = f"TTAPI_{section}_{key}".upper()
        if variable in environ:
            values[name], places[name] = environ[variable], variable
    return places


def _remember_secrets(sources: Mapping[str, Mapping[str, str]]) -> None:
    """Make every secret among the settings known, so that no text shows it from here on."""
    for block in sources.values():
        for name, text in block.items():
            if _SECRET_SETTING.search(name):
                Secret(text)


def _read_toml(file: Path) -> dict[str, object]:
    try:
        document = tomllib.loads(utf8_text(read_file(file), str(file)))
        repr(document)  # a number of thousands of digits can be read, but not said
    except FileNotFoundError as exc:
        if not file.is_symlink():
            return {}
        raise UsageError(f"{file} cannot be read: {exc.strerror}") from exc
    except (ValueError, RecursionError) as exc:
        raise UsageError(f"{file} is not valid TOML: {exc}") from exc
    except OSError as exc:
        raise UsageError(f"{file} cannot be read: {exc.strerror}") from exc
    return document


def _refuse_wrong(values: Mapping[str, object], places: Mapping[str, str]) -> None:
    """Nothing, or UsageError for a value no later reader would name so well."""
    for name, one in _DECLARED.items():
        form, example = one.metadata["form"], one.metadata["example"]
        if name not in values or form is None:
            continue
        if not re.fullmatch(form, str(values[name]).strip(), re.IGNORECASE):
            raise UsageError(
                f"{places[name]} = {values[name]!r} cannot be", hint=f"{example!r} works"
            )
    zone = values.get("display_timezone")
    if zone is not None:
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415 - only where it is set

        try:
            ZoneInfo(str(zone))
        except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
            raise UsageError(
                f"{places['display_timezone']} = {zone!r} is no time zone",
                hint="'America/New_York' works",
            ) from exc


def _flatten(block: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in block.items():
        if isinstance(value, dict):
            flat |= _flatten(value, f"{prefix}{key}_")
        elif isinstance(value, bool):
            flat[prefix + key] = str(value).lower()
        elif isinstance(value, list):
            flat[prefix + key] = ",".join(str(item) for item in value)
        else:
            flat[prefix + key] = str(value)
    return flat


def _setting_name(section: str, key: str, file: Path) -> str:
    try:
        return _TOML_NAMES[section, key]
    except KeyError:
        known = ", ".join(f"[{s}] {k}" for s, k in sorted(_TOML_NAMES))
        raise UsageError(
            f"{file}: unknown setting [{section}] {key}", hint=f"known: {known}"
        ) from None


def _merge_source_variable(variable: str, text: str, sources: dict[str, dict[str, str]]) -> None:
    """Note a variable under every source it can be of: names of sources hold underscores too."""
    if not re.fullmatch(r"TTAPI(_[A-Z0-9]+){2,}", variable) or variable in _RESERVED:
        return
    if any(f"TTAPI_{s}_{k}".upper() == variable for s, k in _TOML_NAMES):
        return
    words = variable.lower().split("_")[1:]
    for cut in range(1, len(words)):
        sources.setdefault("_".join(words[:cut]), {})["_".join(words[cut:])] = text


def _typed(name: str, value: object, place: str) -> object:
    default = _DECLARED[name].default
    try:
        if isinstance(default, tuple):
            items = value.split(",") if isinstance(value, str) else value
            return tuple(str(item).strip() for item in items)  # type: ignore[attr-defined]  # no list is a TypeError, told below
        if isinstance(default, bool):
            return str(value).strip().lower() == "true"
        if isinstance(default, int | float):
            return _finite(type(default)(str(value)))
        return str(value)
    except (TypeError, ValueError) as exc:
        wanted = type(default).__name__
        raise UsageError(f"{place} = {value!r} is not a valid {wanted}") from exc


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError(number)
    return number


def note_path(file: Path, source: str, path: Path) -> None:
    """Nothing; the settings in `file` say that `source` reads `path`.

    *Raises* UsageError where they have a section of that source which says something else.
    """
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    line = f'path = "{escaped}"'
    if line in text:
        return
    if f"[sources.{source}]" in text:
        raise UsageError(
            f"{file} has a [sources.{source}] section already",
            hint=f"set {line} in it, or remove the section",
        )
    separator = "" if not text or text.endswith("\n") else "\n"
    file.write_text(f"{text}{separator}[sources.{source}]\n{line}\n", encoding="utf-8")
    file.chmod(0o600)


DISTRIBUTION = "ttapi-db"


def require_extra(extra: str, module: str, whatever: str) -> None:
    """Nothing, where `module` of the extra is installed.

    *Raises* UsageError, in one line, with the command that installs it; `whatever` needs it.
    """
    if find_spec(module) is None:
        command = install_command(*(extra_requirements(extra) or [module]))
        raise UsageError(f"{whatever} needs the extra [{extra}]: {command}")


def extra_requirements(extra: str) -> list[str]:
    """What the extra adds, without markers; empty where ttapi runs without having been installed."""
    from importlib.metadata import PackageNotFoundError, requires  # noqa: PLC0415 - for a message only

    try:
        declared = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return []
    split = [line.partition(";") for line in declared]
    return [
        requirement.strip()
        for requirement, _, marker in split
        if f"extra == '{extra}'" in marker.replace('"', "'")
    ]


def install_command(*requirements: str) -> str:
    """What a user types to install these beside ttapi; uv where the environment has no pip."""
    tool = [sys.executable, "-m", "pip", "install"]
    if find_spec("pip") is None:
        tool = ["uv", "pip", "install", "--python", sys.executable]
    return shlex.join([*tool, *requirements])
