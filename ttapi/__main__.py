# SPDX-License-Identifier: Apache-2.0
"""`python -m ttapi`."""

from __future__ import annotations

from ttapi.cli.entry import main

if __name__ == "__main__":
    main()
