# SPDX-License-Identifier: Apache-2.0
"""How many examples a dear property draws: a third in `make test`, all in `make compat`, many in a campaign."""

from __future__ import annotations

import os

IS_CAMPAIGN = bool(os.environ.get("TTAPI_CAMPAIGN"))
_IS_WHOLE = os.environ.get("TTAPI_DRAWS") == "all"


def draws(whole, campaign=None):
    """`whole` examples, a third of them where only a check is wanted; `campaign` in a campaign."""
    if IS_CAMPAIGN:
        return campaign or whole
    return whole if _IS_WHOLE else -(-whole // 3)
