"""Which sentence each household may be told about each feature, from its own figures; all rows at once."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from riskmodel.explain.figures import Figures
from riskmodel.explain.wording import PLACEHOLDER, Condition, Lang, Variant

COMPARE: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "above": operator.gt,
    "below": operator.lt,
    "at_least": operator.ge,
    "at_most": operator.le,
}


@dataclass(frozen=True)
class Quotes:
    """What can be said of each feature (``columns``) in each row.

    ``choice`` (n, features) is the index of the sentence to use, -1 where none is true of the household.
    """

    figures: Figures
    variants: Mapping[str, tuple[Variant, ...]]
    choice: np.ndarray

    @property
    def columns(self) -> list[str]:
        """Features in the order of ``choice``'s columns."""
        return list(self.variants)

    def sentence(self, row: int, feature: str, lang: Lang) -> str:
        """Return the sentence chosen for one row and feature."""
        column = self.columns.index(feature)
        text = str(getattr(self.variants[feature][self.choice[row, column]], lang))
        for name in dict.fromkeys(PLACEHOLDER.findall(text)):
            text = text.replace("{" + name + "}", self.figures.text(name, feature, row, lang))
        return text[:1].upper() + text[1:]


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
    for feature in figures.values.columns:
        template = figures.wording.template_for(figures.about[feature])
        if template is not None:
            variants[feature] = template.variants
    choice = np.full((len(figures.values), len(variants)), -1, dtype=np.int8)
    for j, (feature, sentences) in enumerate(variants.items()):
        for k in reversed(range(len(sentences))):
            choice[_may_say(sentences[k], feature, figures), j] = k
    return Quotes(figures, variants, choice)


def _may_say(sentence: Variant, feature: str, figures: Figures) -> np.ndarray:
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
    return ok
