# SPDX-License-Identifier: Apache-2.0
"""The interactive shell: SQL that refreshes what it reads, and dot-commands."""
