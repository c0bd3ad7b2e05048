# SPDX-License-Identifier: Apache-2.0
"""The command line: one module a command, data to standard output, talk to standard error."""
