"""Which sentence each household may be told about each feature, from its own figures; all rows at once."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from riskmodel.explanation.figures import Figures
from riskmodel.explanation.wording import PLACEHOLDER, Condition, Lang, Variant

COMPARE: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "above": operator.gt,
    "below": operator.lt,
    "at_least": operator.ge,
    "at_most": operator.le,
}
MEDIANS = ("village", "county")


@dataclass(frozen=True)
class Quotes:
    """What can be said of each feature (``columns``) in each row.

    ``choice`` (n, features) is the index of the sentence to use, -1 where none is true of the household.
    """

    figures: Figures
    columns: list[str]
    variants: list[tuple[Variant, ...]]
    choice: np.ndarray

    def sentences(self, rows: np.ndarray, columns: np.ndarray, lang: Lang) -> list[str]:
        """Return the sentences chosen for pairs of row and feature (a column of ``choice``)."""
        out = np.full(len(rows), "", dtype=object)
        pairs = np.stack([columns, self.choice[rows, columns]], axis=1)
        kinds, kind = np.unique(pairs, axis=0, return_inverse=True)
        for k, (column, variant) in enumerate(kinds.tolist()):
            at = np.flatnonzero(kind.ravel() == k)
            out[at] = self._filled(column, variant, rows[at], lang)
        return out.tolist()

    def _filled(self, column: int, variant: int, rows: np.ndarray, lang: Lang) -> list[str]:
        feature = self.columns[column]
        template = str(getattr(self.variants[column][variant], lang))
        out = [template] * len(rows)
        for name in dict.fromkeys(PLACEHOLDER.findall(template)):
            filled = self.figures.texts(name, feature, rows, lang)
            out = [text.replace("{" + name + "}", part) for text, part in zip(out, filled, strict=True)]
        return [text[:1].upper() + text[1:] for text in out]


def quotes(figures: Figures) -> Quotes:
    """Choose, for every quotable feature and household, the first declared sentence that is true of it.

    Parameters
    ----------
    figures : Figures

    Returns
    -------
    Quotes
    """
    variants: dict[str, tuple[Variant, ...]] = {}
    for feature in figures.values:
        template = figures.wording.template_for(figures.about[feature])
        if template is not None:
            variants[feature] = template.variants
    choice = np.full((len(figures), len(variants)), -1, dtype=np.int8)
    for j, (feature, sentences) in enumerate(variants.items()):
        for k in reversed(range(len(sentences))):
            choice[_may_say(sentences[k], feature, figures), j] = k
    return Quotes(figures, list(variants), list(variants.values()), choice)


def _may_say(sentence: Variant, feature: str, figures: Figures) -> np.ndarray:
    if "{window}" in sentence.zh + sentence.en and not np.isfinite(figures.window(feature)):
        return np.zeros(len(figures), dtype=bool)
    ok = np.isfinite(figures.array("value", feature))
    for name in sentence.needs:
        ok = ok & np.isfinite(figures.array(name, feature))
    for condition in sentence.when:
        ok = ok & _holds(condition, feature, figures)
    return ok


def _holds(condition: Condition, feature: str, figures: Figures) -> np.ndarray:
    left = figures.printed(condition.quantity, feature)
    ok = np.ones(len(left), dtype=bool)
    with np.errstate(invalid="ignore"):
        for name, right in condition.comparisons:
            other = figures.printed(right, feature) if isinstance(right, str) else np.array(right)
            ok = ok & COMPARE[name](left, other)
            if right in MEDIANS:
                ok = ok & (np.abs(left - other) >= figures.wording.near * np.abs(other))
    return ok
