"""What reading says, in both languages: reasons for rows kept out, and notices about the whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from riskmodel.io.specs import Spec, load

Language = Literal["zh", "en"]


class Both(Spec):
    """A sentence in Chinese and English, with ``{…}`` places."""

    zh: str
    en: str


class Messages(Spec):
    """All sentences of ``messages.yaml``."""

    reasons: dict[str, Both]
    notices: dict[str, Both]
    without: dict[str, Both]
    quality: dict[str, Both]


@cache
def messages() -> Messages:
    """Return the packaged sentences (parsed once)."""
    return load(Path(__file__).with_name("messages.yaml"), Messages)


@dataclass(frozen=True)
class Notice:
    """One thing said once about the data: which sentence, and what fills its places."""

    id: str
    places: dict[str, Any] = field(default_factory=dict)

    def text(self, lang: Language = "en") -> str:
        """Return the sentence in one language.

        Examples
        --------
        >>> Notice("unknown file", {"what": "notes.txt"}).text()
        'notes.txt is no table of the contract and was not read'
        """
        both = messages().notices[self.id]
        return (both.zh if lang == "zh" else both.en).format(**self.places)


def line(key: str, lang: Language, **places: Any) -> str:
    """Return a line of the quality summary in one language."""
    both = messages().quality[key]
    return (both.zh if lang == "zh" else both.en).format(**places)


def reason_text(reason: str, lang: Language, **places: Any) -> str:
    """Return the sentence of a reason in one language.

    Examples
    --------
    >>> reason_text("duplicate row", "en", other=17)
    'equal in every column to row 17'
    """
    both = messages().reasons[reason]
    filled = {"given": "", "allowed": "", "other": "", **places}
    return (both.zh if lang == "zh" else both.en).format(**filled)
