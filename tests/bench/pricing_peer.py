# SPDX-License-Identifier: Apache-2.0
"""py_vollib_vectorized on the contracts of `pricing.py`, in an environment of its own: `pricing_peer.py FOLDER`.

Prints one JSON object: seconds for implied volatility, seconds for the Greeks at it, and the worst difference to the
volatility each contract was made with, of those whose vega is above 1e-4.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np

warnings.filterwarnings("ignore")

from py_vollib_vectorized import get_all_greeks, vectorized_implied_volatility  # noqa: E402 - it warns when imported

MODEL = "black_scholes_merton"


def main(folder: Path) -> None:
    """Compile on a few, measure on all."""
    names = ("spot", "strike", "years", "rate", "dividend_yield", "volatility", "price", "side")
    read = {name: np.fromfile(folder / name) for name in names}
    read["side"] = np.where(read["side"] > 0, "c", "p")
    work({name: column[:1000] for name, column in read.items()})
    print(json.dumps(work(read)))


def work(c: dict[str, np.ndarray]) -> dict[str, float]:
    """Both steps, timed."""
    started = time.perf_counter()
    implied = vectorized_implied_volatility(
        c["price"], c["spot"], c["strike"], c["years"], c["rate"], c["side"], q=c["dividend_yield"],
        on_error="ignore", model=MODEL, return_as="numpy",
    )  # fmt: skip
    halfway = time.perf_counter()
    greeks = get_all_greeks(
        c["side"], c["spot"], c["strike"], c["years"], c["rate"], implied, c["dividend_yield"],
        model=MODEL, return_as="dict",
    )  # fmt: skip
    ended = time.perf_counter()
    is_telling = np.asarray(greeks["vega"]) > 1e-6
    worst = np.nanmax(np.abs(implied - c["volatility"])[is_telling])
    return {"implied": halfway - started, "greeks": ended - halfway, "worst": float(worst)}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
