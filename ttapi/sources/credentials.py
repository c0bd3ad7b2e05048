# SPDX-License-Identifier: Apache-2.0
"""Where secrets come from: the platform's keyring, then a sealed file of the home, then settings.

A keyring is used only where a native one works: on a headless machine the library would pick a
backend that asks on the terminal, or none. The sealed file is AES-GCM, its key from
`TTAPI_SEAL_KEY`, from a systemd credential `ttapi-seal-key`, or from a file of the user's that does
not lie in the home.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from ttapi.errors import UsageError
from ttapi.secret import Secret
from ttapi.sources.sealed import SealedFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from keyring.backend import KeyringBackend

    from ttapi.sources.contract import Source, SourceContext

SERVICE = "ttapi"
FILE = "credentials.sealed"
_NATIVE = (
    ("keyring.backends.macOS", "Keyring"),
    ("keyring.backends.SecretService", "Keyring"),
    ("keyring.backends.libsecret", "Keyring"),
    ("keyring.backends.kwallet", "DBusKeyring"),
)


def find_secret(source: str, field: str, context: SourceContext) -> Secret:
    """The secret `[sources.<source>] <field>`.

    *Raises* UsageError where nobody gave it, or where it lies sealed and cannot be opened.
    """
    text = _find(source, field, context)
    if not text:
        raise UsageError(
            f"[sources.{source}] {field} is not known",
            hint=f"ttapi login, or TTAPI_{source.upper()}_{field.upper()} in the environment",
        )
    return Secret(text)


def has_secret(source: str, field: str, context: SourceContext) -> bool:
    """Whether `find_secret` would find one; nothing is opened or asked for."""
    if context.settings.get(field, "").strip():
        return True
    name = _name(source, field)
    return context.home is not None and name in _index(context.home)


def how_to_give(source: Source, field: str) -> str:
    """What a user does about a missing setting: no secret belongs into a plain file."""
    secret_names: Sequence[str] = getattr(source, "secret_names", ())
    # A source that borrows is given what it lacks by the login of the one it borrows from.
    borrowed: Sequence[str] = getattr(source, "borrows", ())
    if field in secret_names or borrowed:
        return "ttapi login"
    return f"set [sources.{source.name}] {field} in ttapi.toml"


def store_secrets(secrets: Mapping[tuple[str, str], Secret], home: Path) -> str:
    """Keep secrets by (source, field); where they are kept, in words.

    *Raises* UsageError where neither a keyring nor a file will take them.
    """
    backend = native_keyring()
    if backend is not None:
        for (source, field), secret in secrets.items():
            backend.set_password(SERVICE, f"{_name(source, field)}@{home}", secret.reveal())
        where = f"the keyring ({type(backend).__module__.rpartition('.')[2]})"
    else:
        sealed = SealedFile(home / FILE)
        texts = {_name(*key): secret.reveal() for key, secret in secrets.items()}
        sealed.write({**sealed.read(), **texts})
        where = f"{home / FILE}, sealed with the key of {sealed.key_origin}"
    _note(home, [_name(*key) for key in secrets])
    return where


def forget_secrets(source: str, fields: tuple[str, ...], home: Path) -> None:
    """Remove what `store_secrets` kept; nothing where nothing was."""
    names = [_name(source, field) for field in fields]
    backend = native_keyring()
    known = _index(home)
    for name in names:
        if backend is not None and backend.get_password(SERVICE, f"{name}@{home}") is not None:
            backend.delete_password(SERVICE, f"{name}@{home}")
    sealed = SealedFile(home / FILE)
    if sealed.exists():
        left = {name: text for name, text in sealed.read().items() if name not in names}
        sealed.write(left)
    _write_index(home, [name for name in known if name not in names])


def native_keyring() -> KeyringBackend | None:
    """The platform's own keyring, or the one that PYTHON_KEYRING_BACKEND names; None: none works."""
    import importlib  # noqa: PLC0415 - only where secrets are looked for

    named = os.environ.get("PYTHON_KEYRING_BACKEND", "")
    choices = [tuple(named.rpartition(".")[::2])] if named else _NATIVE
    for module, name in choices:
        try:
            backend_type = getattr(importlib.import_module(module), name)
            if backend_type.priority > 0:
                backend: KeyringBackend = backend_type()
                return backend
        except Exception:  # noqa: BLE001, S112 - a keyring that fails in any way is no keyring
            continue
    return None


def _find(source: str, field: str, context: SourceContext) -> str:
    name = _name(source, field)
    if context.home is not None and name in _index(context.home):
        backend = native_keyring()
        stored = None
        if backend is not None:
            stored = backend.get_password(SERVICE, f"{name}@{context.home}")
        if stored is None:
            stored = SealedFile(context.home / FILE).read().get(name)
        if stored:
            return stored
    return context.settings.get(field, "").strip()


def _name(source: str, field: str) -> str:
    return f"{source}.{field}"


def _index(home: Path) -> list[str]:
    """Names of the secrets that were stored, so that `status` need not open anything."""
    try:
        names = json.loads((home / "live" / "credentials.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [str(name) for name in names] if isinstance(names, list) else []


def _note(home: Path, names: list[str]) -> None:
    _write_index(home, sorted({*_index(home), *names}))


def _write_index(home: Path, names: list[str]) -> None:
    file = home / "live" / "credentials.json"
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.write_text(json.dumps(names), encoding="utf-8")
