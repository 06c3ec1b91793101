"""The report's words, read from ``reports/templates/words.yaml`` and checked for both languages."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from riskmodel.errors import SpecError
from riskmodel.io import paths
from riskmodel.io.specs import read_yaml

VERSION = 1
LANGS = ("zh", "en")


@cache
def book(path: Path | None = None) -> Mapping[str, Any]:
    """Return the words, nested as declared; every leaf has ``zh`` and ``en``.

    Parameters
    ----------
    path : Path, optional
        The packaged file by default.

    Returns
    -------
    mapping

    Raises
    ------
    SpecError
        If a leaf lacks a language, or the version is not the one this code reads.
    """
    source = path or templates() / "words.yaml"
    content = read_yaml(source)
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise SpecError(f"{source}: version must be {VERSION}")
    faults = [f"{source}: {where}" for where in _faults(content, "")]
    if faults:
        raise SpecError("\n".join(faults))
    return content


def templates() -> Path:
    """Return the folder of templates, style, script and words."""
    return paths.folder("reports/templates")


def filled(words: Mapping[str, str], **values: Any) -> dict[str, str]:
    """Return words with their slots filled in; a value may itself be words.

    Examples
    --------
    >>> filled({"zh": "{n} 户", "en": "{n} households"}, n=3)
    {'zh': '3 户', 'en': '3 households'}
    """
    return {
        lang: words[lang].format(**{k: v[lang] if isinstance(v, Mapping) else v for k, v in values.items()})
        for lang in LANGS
    }


def _faults(node: Any, where: str) -> list[str]:
    if isinstance(node, list):
        return [fault for i, part in enumerate(node) for fault in _faults(part, f"{where}.{i}")]
    if not isinstance(node, dict):
        return (
            [] if where == ".version" else [f"{where.strip('.')}: write {{zh: …, en: …}} (given: {node!r})"]
        )
    if set(node) & set(LANGS):
        wrong = set(node) != set(LANGS) or not all(isinstance(v, str) and v for v in node.values())
        return [f"{where.strip('.')}: needs zh and en, both text"] if wrong else []
    return [fault for key, part in node.items() for fault in _faults(part, f"{where}.{key}")]
