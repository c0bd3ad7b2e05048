# SPDX-License-Identifier: Apache-2.0
"""What the house measures of itself: `python scripts/house.py [--strict]`; prints one number a line.

`--strict` leaves with 1 where a number is above its limit. The standard library reads the source
text; nothing of ttapi is imported.
"""

from __future__ import annotations

import ast
import collections
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PRIVATE_WORDS = (
    "told", "heard", "wish", "spared", "Offer", "Standing", "Held", "Outside", "Moment", "Ask",
    "Patient", "Manners", "Wish", "Look", "Layers", "Draft", "Readings", "Among", "Within", "Given",
    "LateBars",
)  # fmt: skip
"""Words that once stood for something that the field has a word for: docs/glossary.md."""
NEW_ROOMS = ("live/", "server/", "ticks/")
"""Rooms that came after the house was counted: each has a budget of its own."""
LIMITS = {
    "files outside the new rooms": 235,
    "files above 400 lines": 0,
    "class names in two modules": 0,
    "private words as names": 0,
    "cursor: Any": 0,
    "catalog writes outside store": 0,
    "quoting by hand": 0,
    "regexes that read SQL": 0,
    "getattr on a plugin": 0,
    "imports of cli below api": 0,
}
BELOW_API = r"from ttapi\.(live|store|models|refresh|sources|market|audit)\b"
QUOTING = r"""replace\((["'])(?:'|")\1, ?(["'])(?:''|"")\2\)"""
READS_SQL = (
    r"(?is)re\.compile\((?:(?!re\.compile).){0,160}?"
    r"(explain|create\\b|create table|returning|checkpoint|\\bselect)"
)
READERS_OF_SQL = (
    "sqltext.py",
    "store/statements.py",
    "store/engine.py",
    "api/suggestions.py",
    "models/",
    "simulator/",
)
"""Who may look into SQL text: the unfinished, the engine's, its errors, its meaning; and who invents some."""


def measure(package: Path) -> dict[str, int]:
    """Every count, by what is counted."""
    texts = {
        p.relative_to(package).as_posix(): p.read_text() for p in sorted(package.rglob("*.py"))
    }
    lengths = {path: text.count("\n") for path, text in texts.items()}
    private, classes = _names(texts)

    def hits(pattern: str, *passed_over: str) -> int:
        return sum(
            len(re.findall(pattern, text))
            for path, text in texts.items()
            if not path.startswith(passed_over)
        )

    return {
        "files": len(texts),
        "files outside the new rooms": sum(not path.startswith(NEW_ROOMS) for path in texts),
        "lines": sum(lengths.values()),
        "files above 400 lines": sum(length > 400 for length in lengths.values()),
        "class names in two modules": sum(len(homes) > 1 for homes in classes.values()),
        "private words as names": private,
        "cursor: Any": hits(r"\bcursor: Any\b"),
        "catalog writes outside store": hits(
            r"(?i)(insert into|update|delete from) catalog\.", "store/"
        ),
        "quoting by hand": hits(QUOTING, "sqltext.py"),
        "regexes that read SQL": hits(READS_SQL, *READERS_OF_SQL),
        "getattr on a plugin": hits(
            r"getattr\((?:source|installed\.source), \"(borrows|secret_names|prove_login)"
        ),
        "imports of cli below api": sum(
            len(re.findall(BELOW_API, text))
            for path, text in texts.items()
            if path.startswith("cli/")
        ),
    }


def _names(texts: dict[str, str]) -> tuple[int, dict[str, set[str]]]:
    """How many names are private words, and the modules of each public class name."""
    private = 0
    classes: dict[str, set[str]] = collections.defaultdict(set)
    for path, text in texts.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                classes[node.name].add(path)
            name = _name_of(node)
            private += name is not None and any(_is_word(word, name) for word in PRIVATE_WORDS)
    return private, classes


def _name_of(node: ast.AST) -> str | None:
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.target.id
    for attribute in ("name", "attr", "arg"):
        name = getattr(node, attribute, None)
        if isinstance(name, str):
            return name
    return None


def _is_word(word: str, name: str) -> bool:
    return name == word or (word.islower() and re.search(rf"(^|_){word}($|_)", name) is not None)


def main() -> int:
    """Print the counts; 1 where one is above its limit and `--strict` was asked for."""
    counts = measure(ROOT / "ttapi")
    over = {what for what, count in counts.items() if count > LIMITS.get(what, count)}
    for what, count in counts.items():
        print(f"{count:7,} {what}" + (f"   (limit {LIMITS[what]})" if what in over else ""))
    return 1 if over and "--strict" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
