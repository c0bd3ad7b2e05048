# SPDX-License-Identifier: Apache-2.0
"""What is shipped of ttapi's own models is what looking through them tells now, and is used by a new home."""

from __future__ import annotations

import runpy
from pathlib import Path

from ttapi.models.model_cache import analyser_code, shipped_document

ROOT = Path(__file__).resolve().parents[2]


def test_what_is_shipped_is_what_the_models_tell_now():
    made = runpy.run_path(str(ROOT / "scripts" / "make_analysis.py"))["analysis"]()
    shipped = (ROOT / "sql" / "analysis.json").read_text(encoding="utf-8")
    assert shipped == made, "run python scripts/make_analysis.py"


def test_every_model_of_a_new_home_is_known_before_it_is_looked_through(lab):
    assert shipped_document()["code"] == analyser_code()
    lab.home.readings_file.unlink(missing_ok=True)
    installation = lab.environment().installation
    graph, cache = installation.graph, installation.analysis_cache
    assert len(cache.met) >= len(graph.models)
    assert cache.met == cache.known
    assert cache.met_forms == cache.known_forms
