# SPDX-License-Identifier: Apache-2.0
"""Names of what a user sets for tastytrade."""

from __future__ import annotations

SECRETS = ("client_secret", "refresh_token")
"""The grant: what `ttapi login` stores."""
