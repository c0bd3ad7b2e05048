# SPDX-License-Identifier: Apache-2.0
"""A small file of texts sealed with AES-GCM: 0600, its key kept elsewhere."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ttapi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAGIC = b"TTAPI-SEALED-1\n"
_NONCE = 12
_KEY_BYTES = 32
KEY_VARIABLE = "TTAPI_SEAL_KEY"
CREDENTIAL = "ttapi-seal-key"


class SealedFile:
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
