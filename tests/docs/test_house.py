# SPDX-License-Identifier: Apache-2.0
"""The house: its counts stay within their limits, its words are on the glossary, its pages name what is there."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("ARCHITECTURE.md", "CONTRIBUTING.md", "docs/decisions.md")
TO_COME = {"live/", "server/", "ticks/"}


def load_script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_count_is_within_its_limit():
    house = load_script("house")
    counts = house.measure(ROOT / "ttapi")
    over = {what: counts[what] for what, limit in house.LIMITS.items() if counts[what] > limit}
    assert over == {}


@pytest.mark.parametrize(
    ("planted", "what"),
    [
        ("def f(cursor: Any): ...\n", "cursor: Any"),
        ('x = text.replace("\'", "\'\'")\n', "quoting by hand"),
        ("class Held: ...\n", "private words as names"),
        ("def what_was_told(): ...\n", "private words as names"),
        ("cursor.execute('delete from catalog.meta')\n", "catalog writes outside store"),
        ("from ttapi.store.engine import Connection\n", "imports of cli below api"),
        ("X = re.compile(r'explain refresh')\n", "regexes that read SQL"),
        ('y = getattr(source, "borrows", ())\n', "getattr on a plugin"),
        ("\n" * 401, "files above 400 lines"),
    ],
)
def test_what_a_count_counts_is_found(tmp_path, planted, what):
    (tmp_path / "cli").mkdir()
    (tmp_path / "cli" / "one.py").write_text(planted)
    counts = load_script("house").measure(tmp_path)
    assert counts[what] == 1


def test_a_class_name_that_stands_twice_is_found(tmp_path):
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("class Twice: ...\nclass _Own: ...\n")
    assert load_script("house").measure(tmp_path)["class names in two modules"] == 1


def test_public_classes_are_called_by_words_of_the_glossary():
    text = (ROOT / "docs" / "glossary.md").read_text().lower()
    words = set(re.findall(r"[a-z]+", text))
    unknown = {}
    for room in ("store", "models", "refresh", "audit", "api"):
        for path in (ROOT / "ttapi" / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    parts = [part.lower() for part in re.findall(r"[A-Z][a-z]*", node.name)]
                    lacking = [p for p in parts if not {p, f"{p}s", p.removesuffix("s")} & words]
                    if lacking:
                        unknown[node.name] = lacking
    assert unknown == {}


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_names_are_there(page):
    named = re.findall(
        r"`((?:ttapi/|sql/|tests/|scripts/)?(?:[a-z_]+/)+[a-z_]+\.(?:py|sql))`",
        (ROOT / page).read_text(),
    )
    assert named
    missing = [
        path
        for path in named
        if not (ROOT / path).exists()
        and not (ROOT / "ttapi" / path).exists()
        and not path.startswith(tuple(TO_COME))
    ]
    assert missing == []
