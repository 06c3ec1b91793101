"""Every sentence that the code says in English has its Chinese, with the same places."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator

import pytest

from riskmodel import i18n
from riskmodel.i18n import Sentences, translate

from .sentences import every_sentence

# What a Chinese sentence keeps: options, files, keys of declarations, code, formats, products.
KEPT = re.compile(
    r"""`[^`]*` | '[^']*' | --[a-z][\w-]* | [\w.*/{}-]+\.(?:csv|xlsx|yaml|db|duckdb|parquet|html)\b | \.[a-z]+\b
    | \b[A-Za-z]*[A-Z_][A-Za-z_]*\b | \b\w+=\S* | \w+\(\S* | \[[^\]]*\] | \{[^}]*\}""",
    re.VERBOSE,
)
# Lower-case words that are written so in declarations, calls and data.
CODES = set(
    """
    riskmodel simulate check month train forecast visits import features rules ledger score promote
    """.split()
)


def filled(template: str) -> Iterator[tuple[str, list[str]]]:
    """Yield a template as the code would fill it, and what fills it."""
    for number in ("7", "1"):
        text, values = "", []
        for i, (part, name, spec, _) in enumerate(string.Formatter().parse(template)):
            text += part
            if name is None:
                continue
            if "|" in (spec or ""):
                one, many = str(spec).split("|")[-2:]
                text += f"{number} {one if number == '1' else many}"
                values.append(number)
            else:
                text += f"«{i}»"
                values.append(f"«{i}»")
        yield text, values


def left_over(chinese: str) -> list[str]:
    """Return the English words that stand in a Chinese sentence."""
    return [w for w in re.findall(r"[A-Za-z]{2,}", KEPT.sub(" ", chinese)) if w not in CODES]
