"""What fits a cause: the library of measures and of questions for the visit, which an office can edit."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from riskmodel.data import code_words, codes
from riskmodel.explanation.contributions import all_causes
from riskmodel.explanation.reason_wording import cause_words
from riskmodel.i18n import Language, Words
from riskmodel.io import Spec, load_spec


class Measure(Spec):
    """A support measure: its code in the data contract, and how many single-cause households had it."""

    id: str
    households: int | None = Field(default=None, ge=0)


class CauseMeasures(Spec):
    """What fits one cause: measures in the order to be tried, questions for the visit."""

    of: int | None = Field(default=None, ge=1)
    measures: tuple[Measure, ...]
    ask: tuple[Words, ...] = ()

    @model_validator(mode="after")
    def _shares(self) -> Self:
        for measure in self.measures:
            if measure.households is not None and (self.of is None or measure.households > self.of):
                raise ValueError(f"{measure.id}: {measure.households} households of {self.of}")
        return self


class MeasureLibrary(Spec):
    """The whole library; ``source`` names where its figures come from."""

    version: int
    source: str
    note: Words
    causes: dict[str, CauseMeasures]

    @model_validator(mode="after")
    def _known(self) -> Self:
        wrong = [c for c in self.causes if c not in all_causes()]
        if wrong:
            raise ValueError(f"unknown cause {wrong}; allowed: {', '.join(all_causes())}")
        allowed = codes("support", "measure")
        wrong = [m.id for fit in self.causes.values() for m in fit.measures if m.id not in allowed]
        if wrong:
            raise ValueError(f"unknown measure {wrong}; allowed: {', '.join(allowed)}")
        return self

    def measures(self, causes: Iterable[str], lang: Language) -> list[str]:
        """Return the words of the measures that fit some causes, each once, in the order of the causes."""
        ids = dict.fromkeys(m.id for c in causes if c in self.causes for m in self.causes[c].measures)
        return [code_words("support", "measure", m, spaced=True)[lang] for m in ids]

    def questions(self, causes: Iterable[str], lang: Language) -> list[str]:
        """Return what to ask about some causes, each question once."""
        return list(
            dict.fromkeys(q.text(lang) for c in causes if c in self.causes for q in self.causes[c].ask)
        )


@cache
def _packaged() -> MeasureLibrary:
    return load_spec(Path(__file__).with_name("measures.yaml"), MeasureLibrary)


def load_measures(path: str | Path | None = None) -> MeasureLibrary:
    """Return the library of measures.

    Parameters
    ----------
    path
        An office's own YAML; the packaged one by default.

    Returns
    -------
    MeasureLibrary
        Measures and questions by cause.

    Raises
    ------
    SpecError
        If the file is wrong: the key and what is allowed are named.

    Examples
    --------
    >>> load_measures().measures(["illness"], "en")
    ['health', 'social security', 'social help']
    """
    return _packaged() if path is None else load_spec(path, MeasureLibrary)


def cause_codes(words: Iterable[object], lang: Language) -> list[str]:
    """Return the codes of causes as scores say them; what is no cause is left out.

    Parameters
    ----------
    words
        Such as the columns ``cause_1`` to ``cause_3`` of one household's scores.
    lang
        Of the words: ``zh`` or ``en``.

    Returns
    -------
    list of str
        Codes of the data contract, and of the groups beside them.

    Examples
    --------
    >>> cause_codes(["因病", "", None, "收入"], "zh")
    ['illness', 'income']
    """
    known = {word: code for code, word in cause_words(lang).items()}
    return [known[w] for w in words if isinstance(w, str) and w in known]
