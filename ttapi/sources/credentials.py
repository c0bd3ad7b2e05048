# SPDX-License-Identifier: Apache-2.0
"""Where secrets come from: the platform's keyring, then a sealed file of the home, then settings.

A keyring is used only where a native one works: on a headless machine the library would pick a
backend that asks on the terminal, or none. The sealed file is AES-GCM, its key from
`TTAPI_SEAL_KEY`, from a systemd credential `ttapi-seal-key`, or from a file of the user's that does
not lie in the home.

A small file of texts sealed with AES-GCM: 0600, its key kept elsewhere.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ttapi.errors import UsageError
from ttapi.secret import Secret
from ttapi.sources.contract import BorrowsSettings, LoginSource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyring.backend import KeyringBackend

    from ttapi.sources.contract import Source, SourceContext

_MAGIC = b"TTAPI-SEALED-1\n"
_NONCE = 12
_KEY_BYTES = 32
KEY_VARIABLE = "TTAPI_SEAL_KEY"
CREDENTIAL = "ttapi-seal-key"


class SecretFile:
    """Texts by name in `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.key_origin = ""
        """Where the key came from, in words, once it was needed."""

    def exists(self) -> bool:
        """Whether anything was ever sealed here."""
        return self._path.is_file()

    def read(self) -> dict[str, str]:
        """The texts; none where there is no file.

        *Raises* UsageError for a file that others can read, is damaged, or has another key.
        """
        if not self.exists():
            return {}
        if self._path.stat().st_mode & 0o077:
            raise UsageError(
                f"{self._path} can be read by others, so it is not used",
                hint=f"chmod 600 {self._path}, and ttapi login with new credentials",
            )
        content = self._path.read_bytes()
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - only where a seal is opened
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - likewise

        body = content.removeprefix(_MAGIC)
        try:
            nonce, sealed = body[:_NONCE], body[_NONCE:]
            plain = AESGCM(self._key(may_make=False)).decrypt(nonce, sealed, _MAGIC)
            return {str(name): str(text) for name, text in json.loads(plain).items()}
        except (InvalidTag, ValueError) as exc:
            raise UsageError(
                f"{self._path} cannot be opened: it is damaged, or sealed with another key",
                hint=f"{KEY_VARIABLE} as it was, or ttapi login after removing the file",
            ) from exc

    def write(self, texts: Mapping[str, str]) -> None:
        """Replace the file atomically. *Raises* UsageError where no key can be had."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - only where sealed

        nonce = os.urandom(_NONCE)
        plain = json.dumps(dict(texts)).encode()
        content = _MAGIC + nonce + AESGCM(self._key(may_make=True)).encrypt(nonce, plain, _MAGIC)
        _write_private(self._path, content)

    def _key(self, *, may_make: bool) -> bytes:
        if given := os.environ.get(KEY_VARIABLE):
            self.key_origin = KEY_VARIABLE
            return _key_of(given, KEY_VARIABLE)
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        if folder and (Path(folder) / CREDENTIAL).is_file():
            self.key_origin = f"the systemd credential {CREDENTIAL}"
            return _key_of((Path(folder) / CREDENTIAL).read_text().strip(), CREDENTIAL)
        import platformdirs  # noqa: PLC0415 - only where no other key is given

        file = platformdirs.user_config_path("ttapi") / "seal.key"
        self.key_origin = str(file)
        if not file.is_file():
            if not may_make:
                raise UsageError(f"{file}, which opens {self._path}, is gone")
            _write_private(file, base64.b64encode(os.urandom(_KEY_BYTES)))
        return _key_of(file.read_text().strip(), str(file))


def _key_of(text: str, origin: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise UsageError(
            f"{origin} is no key: 32 bytes in base64 are", hint="openssl rand -base64 32 makes one"
        )
    return key


def _write_private(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    except OSError as exc:
        raise UsageError(f"{path} cannot be written: {exc.strerror}") from exc
    finally:
        temporary.unlink(missing_ok=True)


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
    is_secret = isinstance(source, LoginSource) and field in source.secret_names
    # A source that borrows is given what it lacks by the login of the one it borrows from.
    if is_secret or (isinstance(source, BorrowsSettings) and source.borrows):
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
        sealed = SecretFile(home / FILE)
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
    sealed = SecretFile(home / FILE)
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
            stored = SecretFile(context.home / FILE).read().get(name)
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
