# SPDX-License-Identifier: Apache-2.0
"""What the doors ask about installed sources: what they offer, what is wrong, and their logins.

As `operations`: importing this module brings nothing of the rooms below.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ttapi.errors import SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ttapi.refresh.environment import Environment
    from ttapi.secret import Secret
    from ttapi.sources.contract import LoginSource, Resource, Source
    from ttapi.sources.discovery import InstalledSource


@dataclass(frozen=True)
class ConfiguredResource:
    """One resource of an installed source, as it is configured."""

    dataset: str
    about: str
    ttl: str
    missing_setting: str | None
    """None: it can be asked."""
    hint: str | None
    """What gives the missing setting; None: nothing is missing."""
    error: str | None = None
    """Why its source could not say what is missing; None: it could."""


def sources(environment: Environment, name: str | None = None) -> list[InstalledSource]:
    """The installed sources, broken ones too, or those called `name`.

    *Raises* UsageError where none is.
    """
    installed = environment.sources
    found = [one for one in installed if name is None or one.name == name]
    if not found:
        known = ", ".join(sorted(one.name for one in installed))
        raise UsageError(f"no source is called {name!r}", hint=f"installed: {known}")
    return found


def configured_resources(environment: Environment, source: Source) -> list[ConfiguredResource]:
    """What `source` offers, and which setting each resource lacks."""
    return [_configured(environment, source, resource) for resource in source.resources]


def _configured(environment: Environment, source: Source, resource: Resource) -> ConfiguredResource:
    from ttapi.sources.credentials import how_to_give
    from ttapi.sources.discovery import guarded

    lacking, error = None, None
    try:
        with guarded(source):
            lacking = source.missing_setting(resource, environment.context(source))
    except SourceError as exc:
        error = exc.message
    hint = how_to_give(source, lacking) if lacking else None
    name = f"raw.{resource.table}"
    return ConfiguredResource(name, resource.about, resource.ttl, lacking, hint, error)


def contract_problems(installed: InstalledSource) -> list[str]:
    """What in the declaration of `installed` breaks the contract, one sentence a problem."""
    from ttapi.sources.discovery import guarded
    from ttapi.sources.testing.kit import static_problems

    if installed.source is None:
        return [installed.error or "does not load"]
    with guarded(installed.source):
        return static_problems(installed.source)


def last_failures(environment: Environment, source: Source | None) -> list[str]:
    """What the last fetch of each dataset of `source` ended in, where it failed."""
    states = environment.home_state.states
    names = [f"raw.{resource.table}" for resource in source.resources] if source else []
    return [
        f"{name}: the last fetch failed: {states[name].error}"
        for name in names
        if name in states and states[name].error
    ]


def left_out_models(environment: Environment, source: Source) -> list[str]:
    """Why models that `source` brings are left out."""
    folder = source.sql_folder
    if folder is None:
        return []
    return [
        str(error)
        for error in environment.broken.values()
        if (folder.parent / error.file).is_file()
    ]


def secret_names(environment: Environment, name: str) -> tuple[str, ...]:
    """The settings that a login of the source called `name` asks for.

    *Raises* UsageError for a source that has no login.
    """
    return _login_source(environment, name)[1].secret_names


def prove_login(environment: Environment, name: str, secrets: Mapping[str, Secret]) -> str:
    """What the vendor of `name` says to these credentials.

    *Raises* UsageError for a source that has no login; CredentialError, SourceDownError.
    """
    from ttapi.sources.traffic import Traffic

    source, login = _login_source(environment, name)
    context = environment.context(source)
    given = {field: secret.reveal() for field, secret in secrets.items()}
    trial = replace(context, settings={**context.settings, **given}, home=None, traffic=Traffic())
    return login.prove_login(trial)


def log_in(environment: Environment, name: str, secrets: Mapping[str, Secret]) -> str:
    """Where the credentials of `name` are kept from here on, in words."""
    from ttapi.sources.credentials import store_secrets

    given = {(name, field): secret for field, secret in secrets.items()}
    return store_secrets(given, environment.home.root)


def log_out(environment: Environment, name: str) -> None:
    """Nothing; the credentials of `name` are kept no more."""
    from ttapi.sources.credentials import forget_secrets

    forget_secrets(name, secret_names(environment, name), environment.home.root)


def _login_source(environment: Environment, name: str) -> tuple[Source, LoginSource]:
    """The installed source called `name`, as what it is and as what has a login."""
    from ttapi.sources.contract import LoginSource

    found: dict[str, tuple[Source, LoginSource]] = {}
    for installed in environment.sources:
        source = installed.source
        if source is not None and isinstance(source, LoginSource) and source.secret_names:
            found[installed.name] = (source, source)
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise UsageError(f"{name!r} is no source with a login", hint=f"known: {known}")
    return found[name]
