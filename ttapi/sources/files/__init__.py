# SPDX-License-Identifier: Apache-2.0
"""The source `files`."""

from __future__ import annotations

from ttapi.sources.files.source import FilesSource

__all__ = ["FilesSource"]
