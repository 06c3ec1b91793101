"""What is counted and where: households in villages, unless the data are a panel of something else.

Sentences stand in the catalogue in the words of an office. A finished text of a panel is put into the panel's
own words here, in one place, by the pairs of ``words/nouns.yaml``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from riskmodel.errors import UsageError
from riskmodel.i18n.catalogue import section

UNIT, PLACE = "household", "village"
# Tags with what they hold that is no text, and tags alone.
_MARKUP = re.compile(r"(<(?:style|script)\b.*?</(?:style|script)>|<[^>]*>)", re.DOTALL)


@dataclass(frozen=True)
class Nouns:
    """What a county's rows are of.

    Parameters
    ----------
    unit_of
        ``household`` or ``person``.
    place
        ``village``, or what else the unit is resampled with: ``cluster``, ``dwelling``, ``person``.

    Examples
    --------
    >>> Nouns("person", "cluster").spoken("12 households in 3 villages, 同村农户")
    '12 persons in 3 clusters, 同群组个人'
    """

    unit_of: str = UNIT
    place: str = PLACE

    @classmethod
    def of(cls, about: Any) -> Nouns:
        """Return the nouns of a county by what ``about.yaml`` says of it."""
        return cls(about.unit_of, about.place)

    def facts(self) -> dict[str, str]:
        """Return ``unit_of`` and ``place`` where they are not an office's own: what `nouns_of` reads."""
        return {} if self == Nouns() else {"unit_of": self.unit_of, "place": self.place}

    @cached_property
    def _pairs(self) -> dict[str, str]:
        out: dict[str, str] = {}
        for kind, own, usual in (("unit", self.unit_of, UNIT), ("place", self.place, PLACE)):
            if own != usual:
                out |= _replaced(kind, own, usual)
        return out

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        # The longest first; an English word ends where letters do, so no name of a column is touched.
        words = sorted(self._pairs, key=len, reverse=True)
        return re.compile("|".join(rf"\b{re.escape(w)}\b" if w.isascii() else re.escape(w) for w in words))

    def spoken(self, text: str) -> str:
        """Return a text in these words.

        Parameters
        ----------
        text
            In either language, or both.
        """
        if not self._pairs:
            return text
        return self._pattern.sub(lambda match: self._pairs[match[0]], text)

    def words(self, node: Any) -> Any:
        """Return a part of the catalogue with every phrase in these words.

        Parameters
        ----------
        node
            As `riskmodel.i18n.section` returns it.
        """
        if isinstance(node, str):
            return self.spoken(node)
        if isinstance(node, Mapping):
            return {name: self.words(part) for name, part in node.items()}
        return [self.words(part) for part in node]

    def page(self, html: str) -> str:
        """Return a page with its visible text in these words; markup, styles and scripts stay.

        Parameters
        ----------
        html
            The whole page.
        """
        if not self._pairs:
            return html
        parts = _MARKUP.split(html)
        return "".join(part if i % 2 else self.spoken(part) for i, part in enumerate(parts))


def nouns_of(facts: Mapping[str, Any]) -> Nouns:
    """Return the nouns that a run's facts name; those of an office where they name none.

    Parameters
    ----------
    facts
        ``unit_of`` and ``place``, or neither.
    """
    return Nouns(str(facts.get("unit_of", UNIT)), str(facts.get("place", PLACE)))


@cache
def every_noun() -> tuple[Nouns, ...]:
    """Return all nouns that a list can have been written in."""
    return tuple(Nouns(unit, place) for unit in section("nouns.unit") for place in section("nouns.place"))


@cache
def _replaced(kind: str, own: str, usual: str) -> dict[str, str]:
    """Return what stands in the catalogue to what stands for it, also at the beginning of a sentence."""
    words = section(f"nouns.{kind}")
    if own not in words:
        raise UsageError(f"about.yaml: no words for {kind} {own!r}; there are: {', '.join(words)}")
    pairs: dict[str, str] = {}
    for name, said in words[usual].items():
        for language, old in said.items():
            new = words[own][name][language]
            pairs[old] = new
            pairs[old[:1].upper() + old[1:]] = new[:1].upper() + new[1:]
    return pairs
