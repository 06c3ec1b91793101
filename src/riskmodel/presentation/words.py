"""Where templates are, and words filled in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from riskmodel.i18n import LANGUAGES
from riskmodel.io import paths

LANGS: tuple[str, ...] = LANGUAGES


def templates() -> Path:
    """Return the folder of templates, style and script."""
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
