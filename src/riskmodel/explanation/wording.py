"""What is said of a cause, in zh and en, as declarations hold it that an office can edit.

``reasons.yaml`` declares the units, figures and sentences that reasons are made of, ``measures.yaml`` the
support measures that fit a cause and the questions to ask on a visit.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from riskmodel.data import code_words, codes
from riskmodel.explanation.contributions import all_causes
from riskmodel.i18n import LANGUAGES, Language, Words, check_language
from riskmodel.io import Spec, load_spec

PLACEHOLDER = re.compile(r"\{([a-z_0-9]+)\}")
OWN = ("value", "size", "village", "county")  # figures of the feature itself: they carry its unit
TEXTS = ("name", "cause", "window", "number", "before")  # what is filled in beside figures
YEAR_MONTHS = 12
_EXACT = 9  # decimals beyond which a difference is the computer's, not the data's


class Unit(Words):
    """How a number is printed: ``{x}`` in a phrase, after scaling and rounding; ``one`` is English for 1.

    ``log_of`` says what a logarithm is of, a ``multiple`` or a ``change``, which is printed in its place.
    """

    one: str | None = None
    log_of: Literal["multiple", "change"] | None = None
    decimals: int = Field(default=0, ge=0, le=2)
    scale: float = 1.0

    def natural(self, values: np.ndarray) -> np.ndarray:
        """Return what the values stand for: a logarithm's multiple or change, all others as they are.

        Examples
        --------
        >>> Unit(zh="{x}", en="{x}", log_of="change").natural(np.array([0.0])).tolist()
        [0.0]
        """
        if self.log_of is None:
            return values
        return np.exp(values) if self.log_of == "multiple" else np.expm1(values)

    def printed(self, values: np.ndarray) -> np.ndarray:
        """Return the values as they will be read (shape kept), so that comparisons hold for the reader.

        A half is rounded away from zero, as the spreadsheets do in which the same figure stands.

        Examples
        --------
        >>> Unit(zh="{x}", en="{x}").printed(np.array([5480.5, 5481.5, -0.5])).tolist()
        [5481.0, 5482.0, -1.0]
        """
        shift = 10.0**self.decimals
        # 0.285 × 100 is 28.499999999999996 to a computer, and 28.5 to whoever wrote 0.285.
        size = np.round(np.abs(np.asarray(values, dtype=float)) * self.scale * shift, _EXACT)
        return np.sign(values) * np.floor(size + 0.5) / shift

    def texts(self, values: np.ndarray, lang: Language) -> list[str]:
        """Return values with their unit.

        Examples
        --------
        >>> Unit(zh="{x} 元", en="{x} yuan").texts([5200.4, 0], "zh")
        ['5,200 元', '0 元']
        """
        if lang == "zh":
            return [self.zh.replace("{x}", number) for number in self.numbers(values)]
        one = self.one or self.en
        return [(one if n == "1" else self.en).replace("{x}", n) for n in self.numbers(values)]

    def numbers(self, values: np.ndarray) -> list[str]:
        """Return values without their unit; a zero has no sign."""
        return [f"{x + 0.0:,.{self.decimals}f}" for x in self.printed(values).tolist()]


class Figure(Spec):
    """A quantity beside the feature: a column of the rule table or of X, or one over another, minus one."""

    unit: str
    column: str | None = None
    of: str | None = None
    over: str | None = None
    absolute: bool = False

    @model_validator(mode="after")
    def _either(self) -> Figure:
        if (self.column is None) == (self.of is None or self.over is None):
            raise ValueError("give either column, or both of and over")
        return self


class Condition(Spec):
    """A comparison between two quantities as printed; ``than`` is a number or a figure's name."""

    quantity: str = "value"
    above: float | str | None = None
    below: float | str | None = None
    at_least: float | str | None = None
    at_most: float | str | None = None

    @property
    def comparisons(self) -> list[tuple[str, float | str]]:
        """The comparisons given, as (operator name, right side)."""
        limits = {k: getattr(self, k) for k in ("above", "below", "at_least", "at_most")}
        return [(k, v) for k, v in limits.items() if v is not None]


class Variant(Words):
    """One sentence, and when it may be said."""

    when: tuple[Condition, ...] = ()

    @property
    def needs(self) -> set[str]:
        """Names of all figures that the sentence or its conditions use (texts left out)."""
        names = set(PLACEHOLDER.findall(self.zh)) | set(PLACEHOLDER.findall(self.en))
        for condition in self.when:
            names.add(condition.quantity)
            names |= {v for _, v in condition.comparisons if isinstance(v, str)}
        return names - set(TEXTS)


class Template(Spec):
    """Sentences for the features that match in id pattern, cause, unit, role and direction."""

    match: tuple[str, ...] = ("*",)
    causes: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    directions: tuple[int, ...] = ()
    variants: tuple[Variant, ...]

    def fits(self, feature: dict[str, object]) -> bool:
        """Say whether this template speaks for a feature (a row of the feature metadata)."""
        if not any(fnmatch.fnmatchcase(str(feature["id"]), pattern) for pattern in self.match):
            return False
        choices = {
            "cause": self.causes,
            "unit": self.units,
            "role": self.roles,
            "direction": self.directions,
        }
        return all(not allowed or feature[key] in allowed for key, allowed in choices.items())


class ReasonWording(Spec):
    """The whole declaration.

    ``village_minimum`` households must have a value before a village median is quoted: fewer would print
    a neighbour's figure. A figure that differs from a median by less than the share ``near`` of it is neither
    above nor below for a reader. ``before`` says what the accounting period before is called.
    """

    version: int
    village_minimum: int = Field(ge=2)
    near: float = Field(default=0.05, ge=0, lt=1)
    groups: dict[str, Words]
    domains: dict[str, Words]
    before: dict[Literal["year", "period"], Words]
    units: dict[str, Unit]
    figures: dict[str, Figure]
    templates: tuple[Template, ...]

    @model_validator(mode="after")
    def _domains(self) -> ReasonWording:
        official = codes("risk_events", "cause")
        if missing := [c for c in official if c not in self.domains]:
            raise ValueError(f"no domain for the causes {missing}: what is said where they are not on record")
        spoken = {code_words("risk_events", "cause", c, spaced=True)[lang] for c in official
                  for lang in LANGUAGES}  # fmt: skip
        for code, words in {**self.domains, **self.groups}.items():
            if same := {words.zh, words.en} & spoken:
                raise ValueError(f"{code}: {sorted(same)} is the word of an official cause")
        return self

    @model_validator(mode="after")
    def _closed(self) -> ReasonWording:
        for figure in self.figures.values():
            if figure.unit not in self.units:
                raise ValueError(f"unknown unit {figure.unit!r}; declared: {sorted(self.units)}")
            for part in (figure.of, figure.over):
                if part is not None and (part not in self.figures or self.figures[part].column is None):
                    raise ValueError(f"a ratio takes plain figures, not {part!r}")
        known = set(self.figures) | set(OWN)
        for template in self.templates:
            for variant in template.variants:
                if unknown := variant.needs - known:
                    raise ValueError(f"unknown figures {sorted(unknown)}; declared: {sorted(known)}")
        return self

    def template_for(self, feature: dict[str, object]) -> Template | None:
        """Return the first template that fits a feature; None means that it cannot be quoted."""
        if feature["unit"] not in self.units:
            return None
        return next((t for t in self.templates if t.fits(feature)), None)


@cache
def _packaged_wording() -> ReasonWording:
    return load_spec(Path(__file__).with_name("reasons.yaml"), ReasonWording)


def load_wording(path: str | Path | None = None) -> ReasonWording:
    """Return the wording of reasons.

    Parameters
    ----------
    path
        An office's own YAML; the packaged one by default.

    Returns
    -------
    ReasonWording
        Names, units and sentences in both languages.

    Raises
    ------
    SpecError
        If the file is wrong; the message names the key.
    """
    return _packaged_wording() if path is None else load_spec(path, ReasonWording)


def cause_words(lang: str, wording: ReasonWording | None = None) -> dict[str, str]:
    """Return what each official cause, and each group beside them, is called, in the order of the code list.

    Parameters
    ----------
    lang
        ``zh`` (the contract's words) or ``en``.
    wording
        The packaged one by default.

    Returns
    -------
    dict
        Cause code to words.

    Examples
    --------
    >>> cause_words("zh")["illness"], cause_words("en")["illness"]
    ('因病', 'illness')
    """
    language, wording = check_language(lang), wording or load_wording()
    column = ("risk_events", "cause")
    official = {code: code_words(*column, code, spaced=True)[language] for code in codes(*column)}
    return official | {code: words.text(language) for code, words in wording.groups.items()}


def domain_words(lang: str, wording: ReasonWording | None = None) -> dict[str, str]:
    """Return the plain word of what each cause's features look at, said where the cause is not on record.

    Parameters
    ----------
    lang
        ``zh`` or ``en``.
    wording
        The packaged one by default.

    Returns
    -------
    dict
        Cause code, or group beside the causes, to words; none is the word of an official cause.

    Examples
    --------
    >>> domain_words("en")["industry_failure"], domain_words("en")["income"]
    ('farm and business', 'income')
    """
    language, wording = check_language(lang), wording or load_wording()
    both = {**wording.domains, **wording.groups}
    return {code: words.text(language) for code, words in both.items()}


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
def _packaged_measures() -> MeasureLibrary:
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
    return _packaged_measures() if path is None else load_spec(path, MeasureLibrary)


def proposed_measures(path: str | Path | None = None) -> dict[str, list[str]]:
    """Return the codes of the measures that a library proposes for each cause; raises as `load_measures`."""
    library = load_measures(path)
    return {cause: [measure.id for measure in entry.measures] for cause, entry in library.causes.items()}
