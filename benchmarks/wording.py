"""Hold the names in the code to docs/wording.yaml; exit 1 and list each name that uses an avoided word.

    python benchmarks/wording.py [ROOT]

Checked are the names of modules, classes, functions and parameters under ``src``: what a reader meets first.
Words of file formats that users hold (columns, YAML keys) are not names in the code and may stay.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

# A word of a name: snake_case parts and CamelCase humps.
PART = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")


def avoided(path: Path) -> dict[str, str]:
    """Read ``word: what to write instead`` lines; the file is flat, so no YAML library is needed."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.split(": ", 1) for line in lines if line and not line.startswith("#"))
    return {word.strip(): better.strip() for word, better in pairs}


def names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and name of each class, function and parameter."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg


def findings(root: Path) -> list[str]:
    """Return one line for each name under ``root/src`` that uses an avoided word."""
    words = avoided(root / "docs" / "wording.yaml")
    out = []
    for path in sorted((root / "src").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for line, name in [(1, path.stem), *names(tree)]:
            for part in PART.findall(name):
                if part.lower() in words:
                    better = words[part.lower()]
                    out.append(f"{path.relative_to(root)}:{line}: {name}: instead of {part!r}: {better}")
    return out


if __name__ == "__main__":
    listed = findings(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1])
    print("\n".join(listed) or "no avoided word in a name")
    sys.exit(bool(listed))
