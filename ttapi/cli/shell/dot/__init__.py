# SPDX-License-Identifier: Apache-2.0
"""Every dot-command of the shell, in the order that help shows them."""

from ttapi.cli.shell.dot.registry import COMMANDS, find_command, help_lines

__all__ = ["COMMANDS", "find_command", "help_lines"]
