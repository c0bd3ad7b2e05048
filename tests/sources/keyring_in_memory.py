# SPDX-License-Identifier: Apache-2.0
"""A keyring that works, for PYTHON_KEYRING_BACKEND to name."""

from __future__ import annotations

from keyring.backend import KeyringBackend


class Keyring(KeyringBackend):
    """Keeps passwords for as long as the process lives."""

    priority = 1
    kept: dict[tuple[str, str], str] = {}  # noqa: RUF012 - all instances are the one keyring

    def get_password(self, service, username):
        return self.kept.get((service, username))

    def set_password(self, service, username, password):
        self.kept[service, username] = password

    def delete_password(self, service, username):
        del self.kept[service, username]


class Broken(Keyring):
    """Says it works, and does not."""

    @property
    def priority(self):
        raise RuntimeError("no session bus")
