"""Up to three reasons a household, in plain zh or en sentences that quote its own figures.

`collect_figures` gathers the numbers that a sentence may quote (a feature's own value, its medians, columns
of the rule table), `choose_sentences` the declared sentence that is true of each household, all rows at once.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from riskmodel.errors import UsageError
from riskmodel.explanation.contributions import GROUPS, all_causes, declared_causes, sum_by_cause
from riskmodel.explanation.wording import (
    OWN,
    PLACEHOLDER,
    YEAR_MONTHS,
    Condition,
    Language,
    ReasonWording,
    Unit,
    Variant,
    cause_words,
    check_language,
    domain_words,
    load_wording,
)

COMPARE: Mapping[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "above": operator.gt,
    "below": operator.lt,
    "at_least": operator.ge,
    "at_most": operator.le,
}
MEDIANS = ("village", "county")
UNNAMED = GROUPS[-1]  # "none": parts of the score that no cause stands for


@dataclass(frozen=True)
class Figures:
    """Every quotable number of the same n households.

    ``values`` and ``village`` hold an array of shape (n,) a feature, ``county`` one median a feature,
    ``declared`` an array a declared figure, ``about`` the metadata row of each feature; ``yearly`` says of
    each household whether its accounting period is known to be a year.
    """

    about: Mapping[str, dict[str, object]]
    values: Mapping[str, np.ndarray]
    village: Mapping[str, np.ndarray]
    county: Mapping[str, float]
    declared: Mapping[str, np.ndarray]
    yearly: np.ndarray
    wording: ReasonWording

    def __len__(self) -> int:
        return len(self.yearly)

    def array(self, name: str, feature: str) -> np.ndarray:
        """Return one quantity as it stands, shape (n,); NaN where unknown."""
        if name == "value":
            return self.values[feature]
        if name == "size":
            return np.abs(self.values[feature])
        if name == "village":
            return self.village[feature]
        if name == "county":
            return np.full(len(self), self.county[feature])
        return self.declared[name]

    def unit(self, name: str, feature: str) -> Unit:
        """Return the unit a quantity is printed in."""
        own = str(self.about[feature]["unit"])
        return self.wording.units[own if name in OWN else self.wording.figures[name].unit]

    def printed(self, name: str, feature: str) -> np.ndarray:
        """Return one quantity as its reader sees it, shape (n,)."""
        return self.unit(name, feature).printed(self.array(name, feature))

    def texts(self, name: str, feature: str, rows: np.ndarray, lang: Language) -> list[str]:
        """Return what stands for a placeholder in the sentences of some households (row numbers)."""
        about = self.about[feature]
        if name == "number":
            return self.unit("value", feature).numbers(self.values[feature][rows])
        if name == "before":
            year, period = (str(getattr(self.wording.before[k], lang)) for k in ("year", "period"))
            return [year if yearly else period for yearly in self.yearly[rows]]
        fixed = {"name": str(about[lang]), "window": f"{self.window(feature):.0f}"}
        if name == "cause":
            fixed["cause"] = cause_words(lang, self.wording)[str(about["cause"])]
        if name in fixed:
            return [fixed[name]] * len(rows)
        return self.unit(name, feature).texts(self.array(name, feature)[rows], lang)

    def window(self, feature: str) -> float:
        """Return the months a feature looks back on; NaN where it has no window."""
        months = self.about[feature].get("window")
        return float(months) if isinstance(months, int | float | np.number) else float("nan")


def quotable_columns(
    columns: Iterable[str], features: pd.DataFrame, wording: ReasonWording
) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Return the explainable features that some template speaks for, with what makes their values natural."""
    about = _about(features)
    return {
        c: wording.units[str(about[c]["unit"])].natural
        for c in columns
        if bool(about[c]["explainable"]) and wording.template_for(about[c]) is not None
    }


def _about(features: pd.DataFrame) -> dict[str, dict[str, object]]:
    return {str(r["id"]): {str(k): v for k, v in r.items()} for r in features.to_dict("records")}


def county_medians(
    column: Callable[[str], np.ndarray], names: Sequence[str], features: pd.DataFrame
) -> dict[str, float]:
    """Return the county's median of each quotable feature, one column in memory at a time.

    Parameters
    ----------
    column
        Returns a feature's values of all households, in any order.
    names
        The features.
    features
        As in `write_reasons`.
    """
    natural = quotable_columns(names, features, load_wording())
    return {c: float(pd.Series(natural[c](column(c))).median()) for c in natural}


def collect_figures(
    X: pd.DataFrame,
    features: pd.DataFrame,
    rules: pd.DataFrame,
    wording: ReasonWording,
    county: Mapping[str, float] | None = None,
) -> Figures:
    """Collect the quotable numbers of the features that may speak; ``county`` holds its medians."""
    about, natural = _about(features), quotable_columns(X.columns, features, wording)
    values = pd.DataFrame({c: natural[c](X[c].to_numpy(dtype=float)) for c in natural}, index=X.index)
    if county is None:
        county = {str(c): float(v) for c, v in values.median().items()}
    return Figures(
        about=about,
        values=_arrays(values),
        village=_arrays(village_medians(values, _village(rules), wording.village_minimum)),
        county=county,
        declared=declared_figures(rules, X, wording),
        yearly=_yearly(rules),
        wording=wording,
    )


def _arrays(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    return {str(c): frame[c].to_numpy(dtype=float) for c in frame.columns}


def _village(rules: pd.DataFrame) -> pd.Series | None:
    # Two townships may each have a village of one name.
    if not {"township", "village"} <= set(rules.columns):
        return rules.get("village")
    return rules["township"].astype(str) + "\x1f" + rules["village"].astype(str)


def _yearly(rules: pd.DataFrame) -> np.ndarray:
    if not {"period_from", "period_to"} <= set(rules.columns):
        return np.zeros(len(rules), dtype=bool)
    ends = [pd.to_datetime(rules[c], format="%Y-%m") for c in ("period_from", "period_to")]
    months = [12 * end.dt.year + end.dt.month for end in ends]
    return (months[1] - months[0] + 1).eq(YEAR_MONTHS).to_numpy(dtype=bool)


def declared_figures(rules: pd.DataFrame, X: pd.DataFrame, wording: ReasonWording) -> dict[str, np.ndarray]:
    """Return every declared figure over the rows, of the rules or else X; NaN where absent or unknown."""
    nothing = np.full(len(rules), np.nan)
    out: dict[str, np.ndarray] = {}
    for name, figure in wording.figures.items():
        source = next((t for t in (rules, X) if figure.column in t), None)
        if source is not None and figure.column:
            out[name] = pd.to_numeric(source[figure.column]).to_numpy(dtype=float, na_value=np.nan)
        elif figure.column:
            out[name] = nothing
    for name, figure in wording.figures.items():
        if figure.of is not None and figure.over is not None:
            over = np.where(out[figure.over] > 0, out[figure.over], np.nan)
            change = out[figure.of] / over - 1
            out[name] = np.abs(change) if figure.absolute else change
    return out


def village_medians(values: pd.DataFrame, village: pd.Series | None, minimum: int) -> pd.DataFrame:
    """Return each row's village median of each feature, NaN where fewer than the minimum have a value."""
    if village is None or not len(values):
        return pd.DataFrame(np.nan, index=values.index, columns=values.columns)
    key = village.to_numpy()
    groups = values.groupby(key)
    medians = groups.median().where(groups.count() >= minimum)
    return medians.reindex(key).set_axis(values.index, axis=0)


@dataclass(frozen=True)
class SentenceChoice:
    """What can be choice of each feature (``columns``) in each row.

    ``choice`` (n, features) is the index of the sentence to use, -1 where none is true of the household.
    """

    figures: Figures
    columns: list[str]
    variants: list[tuple[Variant, ...]]
    choice: np.ndarray

    def sentences(self, rows: np.ndarray, columns: np.ndarray, lang: Language) -> list[str]:
        """Return the sentences chosen for pairs of row and feature (a column of ``choice``)."""
        out = np.full(len(rows), "", dtype=object)
        pairs = np.stack([columns, self.choice[rows, columns]], axis=1)
        kinds, kind = np.unique(pairs, axis=0, return_inverse=True)
        for k, (column, variant) in enumerate(kinds.tolist()):
            at = np.flatnonzero(kind.ravel() == k)
            out[at] = self._filled(column, variant, rows[at], lang)
        return out.tolist()

    def _filled(self, column: int, variant: int, rows: np.ndarray, lang: Language) -> list[str]:
        feature = self.columns[column]
        template = str(getattr(self.variants[column][variant], lang))
        out = [template] * len(rows)
        for name in dict.fromkeys(PLACEHOLDER.findall(template)):
            filled = self.figures.texts(name, feature, rows, lang)
            out = [text.replace("{" + name + "}", part) for text, part in zip(out, filled, strict=True)]
        return [text[:1].upper() + text[1:] for text in out]


def choose_sentences(figures: Figures) -> SentenceChoice:
    """Choose, for every quotable feature and household, the first declared sentence that is true of it."""
    variants: dict[str, tuple[Variant, ...]] = {}
    for feature in figures.values:
        template = figures.wording.template_for(figures.about[feature])
        if template is not None:
            variants[feature] = template.variants
    choice = np.full((len(figures), len(variants)), -1, dtype=np.int8)
    for j, (feature, sentences) in enumerate(variants.items()):
        for k in reversed(range(len(sentences))):
            choice[_is_true(sentences[k], feature, figures), j] = k
    return SentenceChoice(figures, list(variants), list(variants.values()), choice)


def _is_true(sentence: Variant, feature: str, figures: Figures) -> np.ndarray:
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


def write_reasons(
    contributions: pd.DataFrame,
    X: pd.DataFrame,
    features: pd.DataFrame,
    rules: pd.DataFrame,
    lang: str = "zh",
    n: int = 3,
    wording: ReasonWording | None = None,
    on_record: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Name the causes that raise a household's score most, each with one sentence that its figures bear out.

    A cause is named when the sum of its contributions is positive and one of its features may be quoted:
    declared ``explainable``, known, contributing to the risk, and with a sentence that is true of the
    household. The strongest such feature speaks. Fewer than ``n`` such causes leave empty text.

    Parameters
    ----------
    contributions
        Log-odds, shape (households, features), from `riskmodel.explanation.compute_contributions`.
    X
        Feature values of the same rows and columns.
    features
        Feature metadata: ``id, zh, en, unit, cause, role, explainable, direction, window``.
    rules
        Rule columns of the same rows: ``pcni, previous_pcni, line, township, village``; with
        ``period_from`` and ``period_to`` (``YYYY-MM``) a period of twelve months is called a year.
    lang
        ``zh`` or ``en``.
    n
        How many reasons at most.
    wording
        The packaged sentences by default.
    on_record
        Truth values, shape (households, official causes), index as of X: for whom a risk event or a register
        row of the cause is on record. Only there is the official word said, else that of the domain
        (`riskmodel.explanation.domain_words`); without it nothing counts as on record.

    Returns
    -------
    DataFrame
        Shape (households, 3n): ``cause_k`` (words), ``contribution_k`` (log-odds of the whole cause, NaN
        where empty), ``reason_k``.

    Raises
    ------
    UsageError
        If index or columns of the inputs do not match, or ``lang`` is unknown.
    SpecError
        If a feature has no metadata.
    """
    given = {"n": n, "wording": wording, "on_record": on_record}
    return write_reasons_in((lang,), contributions, X, features, rules, **given)[lang]  # type: ignore[arg-type]


def write_reasons_in(
    langs: Sequence[str],
    contributions: pd.DataFrame,
    X: pd.DataFrame,
    features: pd.DataFrame,
    rules: pd.DataFrame,
    n: int = 3,
    wording: ReasonWording | None = None,
    county: Mapping[str, float] | None = None,
    on_record: pd.DataFrame | None = None,
) -> dict[str, pd.DataFrame]:
    """Return what `write_reasons` does in several languages: causes and sentences are chosen once.

    Parameters
    ----------
    langs
        ``zh``, ``en`` or both.
    contributions, X, features, rules, n, wording, on_record
        As in `write_reasons`; errors likewise.
    county
        Medians of the county, from `county_medians`, where the rows are some of its households; whole
        villages, for theirs are made of the rows.

    Returns
    -------
    dict
        Language to the frame of `write_reasons`.
    """
    languages = [check_language(lang) for lang in langs]
    wording = wording or load_wording()
    _check(contributions, X, rules)
    sums = sum_by_cause(contributions, features)
    choice = choose_sentences(collect_figures(X, features, rules, wording, county))
    speaker, strength = _speakers(contributions, choice, list(sums.columns), features)
    order = _order(sums.to_numpy(), strength, list(sums.columns), n)
    size = sums.to_numpy()
    recorded = _recorded(on_record, X.index, list(sums.columns))
    named = {
        language: [
            np.array([words(language, wording)[str(c)] for c in sums.columns], dtype=object)
            for words in (domain_words, cause_words)
        ]
        for language in languages
    }
    out: dict[str, dict[str, object]] = {language: {} for language in languages}
    for i in range(n):
        cause = order[:, i] if i < order.shape[1] else np.full(len(X), -1)
        rows = np.flatnonzero(cause >= 0)
        cause = cause[rows]
        contribution = _spread(rows, size[rows, cause], np.nan, len(X))
        for language in languages:
            plain, official = named[language]
            said = np.where(recorded[rows, cause], official[cause], plain[cause])
            out[language][f"cause_{i + 1}"] = _spread(rows, said, "", len(X))
            out[language][f"contribution_{i + 1}"] = contribution
            sentences = choice.sentences(rows, speaker[rows, cause], language)
            out[language][f"reason_{i + 1}"] = _spread(rows, sentences, "", len(X))
    return {language: pd.DataFrame(columns, index=X.index) for language, columns in out.items()}


def _recorded(on_record: pd.DataFrame | None, index: pd.Index, causes: list[str]) -> np.ndarray:
    """Return for whom each cause is on record, shape (households, causes); groups beside them never are."""
    if on_record is None:
        return np.zeros((len(index), len(causes)), dtype=bool)
    if not on_record.index.equals(index):
        raise UsageError("on_record must have the index of X")
    return on_record.reindex(columns=causes, fill_value=False).to_numpy(dtype=bool)


def _check(contributions: pd.DataFrame, X: pd.DataFrame, rules: pd.DataFrame) -> None:
    if list(contributions.columns) != list(X.columns):
        raise UsageError("contributions and X must have the same columns in the same order")
    if not (contributions.index.equals(X.index) and rules.index.equals(X.index)):
        raise UsageError(
            "contributions, X and rules must have the same index in the same order "
            f"({len(contributions)}, {len(X)}, {len(rules)} rows); reindex the rules by X.index"
        )


def _speakers(
    contributions: pd.DataFrame, choice: SentenceChoice, causes: list[str], features: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray]:
    """Return, per row and cause, the quotable feature that raises the risk most, and how much (0: none)."""
    cause = declared_causes(list(contributions.columns), features)
    parts = contributions[choice.columns].to_numpy(dtype=float)
    usable = np.where((choice.choice >= 0) & (parts > 0), parts, 0.0)
    speaker = np.zeros((len(parts), len(causes)), dtype=np.intp)
    strength = np.zeros((len(parts), len(causes)))
    for j, name in enumerate(causes):
        own = np.array([i for i, f in enumerate(choice.columns) if cause[f] == name], dtype=np.intp)
        if name == UNNAMED or not len(own):
            continue
        best = usable[:, own].argmax(axis=1)
        speaker[:, j] = own[best]
        strength[:, j] = usable[np.arange(len(parts)), own[best]]
    return speaker, strength


def _order(sums: np.ndarray, strength: np.ndarray, causes: list[str], n: int) -> np.ndarray:
    """Return, per row, the first n nameable causes by falling contribution, ties in code order; -1: none."""
    rank = {c: i for i, c in enumerate(all_causes())}
    tie = np.array([rank[c] for c in causes])
    nameable = np.where((sums > 0) & (strength > 0), sums, -np.inf)
    by_size = np.lexsort((np.broadcast_to(tie, nameable.shape), -nameable), axis=1)[:, :n]
    return np.where(np.isfinite(np.take_along_axis(nameable, by_size, axis=1)), by_size, -1)


def _spread(rows: np.ndarray, values: object, empty: object, n: int) -> np.ndarray:
    out = np.full(n, empty, dtype=float if empty is np.nan else object)
    out[rows] = values
    return out
