"""Scores of a month: every household's probability beside its rule verdict, with reasons; explanations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from riskmodel import explanation, features, rules, targets
from riskmodel.data import County
from riskmodel.errors import UsageError
from riskmodel.households import DateLike, KnownCounty, known_county, known_parts
from riskmodel.i18n import check_language
from riskmodel.io import ScratchFolder
from riskmodel.rules import RuleSet
from riskmodel.runs import LoadedModel, model_inputs, score_columns, start_run
from riskmodel.scoring.answers import ANSWER, SILENT, by_answer, find_answer, model_for, silenced
from riskmodel.scoring.duties import CARD_RULESET

FORMAT = 1
REASONS = 3
UNKNOWN_LIMIT = 0.5  # from this share of unknown incomes or features on, scores say little
SCORE_COLUMNS = [
    "household_id", "township", "village", "as_of", "horizon_months", "probability", "probability_low",
    "probability_high", "rank", "tier", "model", "model_version", "run_id", "feature_set", "data_fingerprint",
    "ruleset", "pcni", "line", "gap", "rule_category", "rule_conditions",
    *[f"{part}_{i}" for part in ("cause", "contribution", "reason") for i in range(1, REASONS + 1)],
]  # fmt: skip
EXTRA_COLUMNS = [
    "flagged", "in_cohort", "registration", "persons", "income_reason", "lag_months", "pcni_low", "pcni_high",
    "verdict_depends", "doubts", "assumptions", "score", "log_odds_base", "format",
    "model_kind",
]  # fmt: skip
REFERENCE_COLUMN = "reference_income_pc"  # of counties with claims
RECORD_COLUMNS = ("lag_months", "pcni_low", "pcni_high", "verdict_depends", "doubts")
EXPLANATION_COLUMNS = ["household_id", "feature", "name", "cause", "value", "unit", "contribution", "base"]


def score(
    county: County | KnownCounty, model: LoadedModel, as_of: DateLike | None = None, lang: str = "zh"
) -> pd.DataFrame:
    """Score every household known at as-of.

    The same known data, model and as-of give the same frame, byte for byte once written.

    Parameters
    ----------
    county
        The tables, of which only what was known at as-of counts; or a `riskmodel.households.KnownCounty`
        of one day, which carries its date.
    model
        From `riskmodel.runs.load_model`.
    as_of
        The day, a date or ISO text.
    lang
        Of causes and reasons: ``zh`` or ``en``.

    Returns
    -------
    DataFrame
        One row a household, ranked: ``household_id, township, village, as_of, horizon_months, probability,
        probability_low, probability_high, rank, tier, model, model_version, run_id, feature_set,
        data_fingerprint, ruleset, pcni, line, gap, rule_category, rule_conditions``, the three main
        ``cause_i, contribution_i, reason_i``, and ``flagged, in_cohort, registration, persons, income_reason,
        lag_months, pcni_low, pcni_high, verdict_depends, doubts, assumptions, score, log_odds_base, format,
        model_kind`` (which model of the run), and ``reference_income_pc`` where the county has claims.
        Probabilities are chances of the trained event within ``horizon_months`` under current support;
        ``contribution_i`` are log-odds; money is in yuan.
        ``in_cohort`` is False where the model speaks beyond what it learnt from (households below the line,
        in the register, or of unknown income already): their probability orders, but is no forecast.

    Raises
    ------
    UsageError
        If no household is known at as-of, or the language is unknown.
    """
    return score_in_languages(county, model, as_of, (lang,))[lang]


def score_in_languages(
    county: County | KnownCounty,
    model: LoadedModel,
    as_of: DateLike | None = None,
    langs: Sequence[str] = ("zh", "en"),
    verdicts: pd.DataFrame | None = None,
    feature_table: pd.DataFrame | None = None,
    ruleset: RuleSet | None = None,
    params: Mapping[str, Any] | None = None,
) -> dict[str, pd.DataFrame]:
    """Score once and give the reasons in several languages; frames and errors as of `score`.

    Parameters
    ----------
    county, model, as_of
        As in `score`.
    langs
        ``zh``, ``en`` or both.
    verdicts
        Of the rule set and parameters at as-of, where they were computed already.
    feature_table
        The model's features at as-of, from `riskmodel.features.build_features`, where they stand already.
    ruleset, params
        Other rules than the model's, with all parameters given: see `riskmodel.scoring.answers.find_answer`.

    Returns
    -------
    dict
        Language to scores; under other rules with a column ``answer`` where the model's is not its own.
    """
    known = known_county(county, as_of)
    rule_set = ruleset or model.ruleset
    values = dict(model.card["params"] if params is None else params)
    answer = find_answer(known, model, rule_set, values)
    model = model_for(model, answer)
    judged = _judged(known, rule_set, values, verdicts)
    parts, numbers, rows = _ScoredParts(model.feature_set.names), [], []
    for part in _parts(known, model, feature_table):
        own = judged if part is known else _of_part(judged, part)
        if len(own):
            rows.append(own.index)
            own = own.reset_index(drop=True)
            X, inputs = _inputs(part, model, own, feature_table)
            numbers.append(_numbers(model, inputs, own, known))
            parts.add(X, several=part is not known)
    cohort = targets.build_cohorts(known, model.card["cohort"], ruleset=rule_set, params=values)
    scored = silenced(pd.concat(numbers, ignore_index=True).assign(ruleset=rule_set.id), answer, model)
    scored["in_cohort"] = scored["household_id"].isin(cohort["household_id"]).to_numpy()
    own_verdicts = (judged.loc[own].reset_index(drop=True) for own in rows)
    explained = model.card.get("reference") is not None and answer.kind != SILENT
    reasons = _reasons(model, parts, own_verdicts, langs, explanation.recorded_causes(known), explained)
    return _ranked(scored, reasons)


@dataclass
class _ScoredParts:
    """Features of the parts of a county, in the order of scoring, kept until reasons are written.

    A reason compares a household with the median of the whole county, which is known once all are scored.
    """

    names: list[str]
    _frames: list[pd.DataFrame] = field(default_factory=list)
    _files: list[Path] = field(default_factory=list)
    _folder: ScratchFolder | None = None

    def add(self, X: pd.DataFrame, several: bool) -> None:
        """Take in the features of a part; where there are several parts they go to disk."""
        if not several:
            self._frames.append(X)
            return
        self._folder = self._folder or ScratchFolder("features")
        path = self._folder.path / f"{len(self._files)}.npy"
        np.save(path, np.ascontiguousarray(X[self.names].to_numpy(dtype=float).T))
        self._files.append(path)

    def __iter__(self) -> Iterator[pd.DataFrame]:
        """Yield the features of each part."""
        yield from self._frames
        for path in self._files:
            yield pd.DataFrame(np.load(path).T, columns=self.names, copy=False)

    def column(self, name: str) -> np.ndarray:
        """Return one feature of all parts."""
        place = self.names.index(name)
        columns = [X[name].to_numpy(dtype=float) for X in self._frames]
        columns += [np.load(path, mmap_mode="r")[place] for path in self._files]
        return np.concatenate(columns)


def _parts(
    known: KnownCounty, model: LoadedModel, feature_table: pd.DataFrame | None
) -> Iterable[KnownCounty]:
    """Return the parts that features are made of: the whole where it fits, or they ask for it."""
    return [known] if feature_table is not None or model.feature_set.looks_at_county else known_parts(known)


def _of_part(verdicts: pd.DataFrame, part: KnownCounty) -> pd.DataFrame:
    return verdicts[verdicts["household_id"].isin(part.townships.index)]


def explain(
    county: County | KnownCounty,
    model: LoadedModel,
    as_of: DateLike | None = None,
    household_ids: str | Sequence[str] | None = None,
    lang: str = "zh",
) -> pd.DataFrame:
    """Return what each feature contributes to the scores of some households.

    Parameters
    ----------
    county, model, as_of
        As in `score`.
    household_ids
        Whose scores; one, several, or all that are known at as-of by default.
    lang
        Of the features' names: ``zh`` or ``en``.

    Returns
    -------
    DataFrame
        ``household_id, feature, name, cause, value, unit, contribution, base``, one row a household and
        feature, the largest contribution first; ``cause`` is a code, ``value`` NaN where unknown,
        ``contribution`` and ``base`` are log-odds. ``base`` plus a
        household's contributions is its ``score``; they count from the households that the model was
        trained on, so that a feature contributes nothing on average among them.

    Raises
    ------
    UsageError
        If a household is not known at as-of, the language is unknown, or the model is not one that features
        explain.

    References
    ----------
    See `riskmodel.explanation.compute_contributions`.
    """
    language = check_language(lang)
    _check_explained(model)
    known = known_county(county, as_of)
    X = _feature_values(known, model)
    if household_ids is not None:
        ids = [household_ids] if isinstance(household_ids, str) else list(household_ids)
        for household_id in ids:
            _check_known(household_id, X, known)
        X = X.loc[ids]
    parts, base = _contributions(model, X)
    about = features.describe_features(model.feature_set).set_index("id")
    place = np.tile(np.arange(len(X)), parts.shape[1])
    long = parts.melt(var_name="feature", value_name="contribution").assign(
        household_id=X.index.to_numpy()[place],
        value=X[parts.columns].to_numpy(dtype=float).ravel(order="F"),
        base=base,
        place=place,
    )
    for column, source in (("name", language), ("cause", "cause"), ("unit", "unit")):
        long[column] = long["feature"].map(about[source])
    long = long.assign(size=-long["contribution"].abs()).sort_values(["place", "size", "feature"])
    return long[EXPLANATION_COLUMNS].reset_index(drop=True)


def score_counterfactuals(
    county: County | KnownCounty, model: LoadedModel, as_of: DateLike | None, household_id: str, target: float
) -> pd.DataFrame:
    """Return what would have to change for one household's score to fall; for analysts only.

    Parameters
    ----------
    county, model, as_of
        As in `score`.
    household_id
        Whose score.
    target
        Probability to fall to.

    Returns
    -------
    DataFrame
        See `riskmodel.explanation.find_counterfactuals`, which also says what it is not.

    Raises
    ------
    UsageError
        If the household is not known at as-of, or the model is not one that features explain.
    """
    _check_explained(model)
    known = known_county(county, as_of)
    X = _feature_values(known, model)
    _check_known(household_id, X, known)
    row = int(np.flatnonzero(X.index == household_id)[0])
    dictionary = features.describe_features(model.feature_set)
    return explanation.find_counterfactuals(
        model.model, X.reset_index(drop=True), row, dictionary, target, feature_set=model.feature_set
    )


def scoring_inputs(
    known: KnownCounty,
    model: LoadedModel,
    verdicts: pd.DataFrame | None = None,
    feature_table: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return verdicts on all known households, and in their order the features and what the model reads."""
    verdicts = _judged(known, model.ruleset, dict(model.card["params"]), verdicts)
    return verdicts, *_inputs(known, model, verdicts, feature_table)


def _judged(
    known: KnownCounty, ruleset: RuleSet, params: Mapping[str, Any], verdicts: pd.DataFrame | None
) -> pd.DataFrame:
    """Return verdicts on all known households; refuse where there is none."""
    if verdicts is None:
        verdicts = rules.evaluate_rules(known, ruleset, params=params)
    if verdicts.empty:
        through = known.county.data_through
        raise UsageError(f"no household is known at {known.as_of}: give a later day (data to {through})")
    return verdicts


def _inputs(
    known: KnownCounty, model: LoadedModel, verdicts: pd.DataFrame, feature_table: pd.DataFrame | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return in the order of some verdicts the features and what the model reads."""
    X = _feature_values(known, model, feature_table).loc[verdicts["household_id"]].reset_index(drop=True)
    return X, model_inputs(model.kind, verdicts, X)


def _feature_values(
    known: KnownCounty, model: LoadedModel, feature_table: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return the model's features of every household known at a day, by household id."""
    table = features.build_features(known, model.feature_set) if feature_table is None else feature_table
    return table.set_index("household_id")[model.feature_set.names]


def _check_explained(model: LoadedModel) -> None:
    if model.card.get("reference") is None:
        raise UsageError(f"{model.kind} is not explained by features; choose a model that is, such as logit")


def _check_known(household_id: str, X: pd.DataFrame, known: KnownCounty) -> None:
    if household_id not in X.index:
        day = known.as_of
        raise UsageError(f"household {household_id!r} is not known at {day}; see the scores of that day")


def _numbers(
    model: LoadedModel, values: pd.DataFrame, verdicts: pd.DataFrame, known: KnownCounty
) -> pd.DataFrame:
    """Return everything but the reasons, in the verdicts' order."""
    scores = score_columns(model.model, values)
    out = pd.DataFrame(
        {
            "household_id": verdicts["household_id"],
            "township": verdicts["township"],
            "village": verdicts["village"],
            "as_of": known.as_of.isoformat(),
            "horizon_months": int(model.card["horizon_months"]),
            **{c: scores[c] for c in ("probability", "probability_low", "probability_high", "score")},
            "tier": _tier(pd.Series(scores["probability"])),
            "model": model.name,
            "model_version": model.version,
            "run_id": model.run_id,
            "feature_set": model.feature_set.id,
            "data_fingerprint": known.fingerprint,
            "rule_category": verdicts["category"],
            "rule_conditions": verdicts["conditions"],
            "format": FORMAT,
            "model_kind": model.kind,
        }
    )
    for name in ("pcni", "line", "gap", "flagged", "registration", "persons", "income_reason",
                 *RECORD_COLUMNS, "assumptions"):  # fmt: skip
        out[name] = verdicts[name]
    return out.assign(**{c: verdicts[c] for c in (REFERENCE_COLUMN,) if c in verdicts})


def _tier(probability: pd.Series) -> pd.Series:
    """Colour by probability alone, at the thresholds that ``cards-2023`` assumes."""
    values = rules.load_rules(CARD_RULESET).values()
    red, yellow = float(values["card_red"]), float(values["card_yellow"])
    colour = np.select([probability >= red, probability >= yellow], ["red", "yellow"], "blue")
    return pd.Series(colour, probability.index)


def _contributions(model: LoadedModel, values: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """Return contributions and base in log-odds, counted from the mean of the training households."""
    parts, base = explanation.compute_contributions(model.model, values)
    reference = model.card["reference"]
    mean = pd.Series(reference["centre"], index=reference["columns"])[parts.columns]
    return parts - mean, base + float(mean.sum())


def _reasons(
    model: LoadedModel,
    parts: _ScoredParts,
    verdicts: Iterable[pd.DataFrame],
    langs: Sequence[str],
    recorded: pd.DataFrame,
    explained: bool,
) -> dict[str, pd.DataFrame]:
    """Return causes, contributions and sentences; empty where no feature explains a probability."""
    if not explained:
        blank = {"cause": "", "reason": "", "contribution": np.nan}
        columns = {f"{part}_{i}": empty for part, empty in blank.items() for i in range(1, REASONS + 1)}
        index = pd.RangeIndex(sum(len(own) for own in verdicts))
        return dict.fromkeys(langs, pd.DataFrame(columns | {"log_odds_base": np.nan}, index=index))
    dictionary = features.describe_features(model.feature_set)
    written: dict[str, list[pd.DataFrame]] = {lang: [] for lang in langs}
    medians: dict[str, float] | None = None
    on_record = pd.crosstab(recorded["household_id"], recorded["cause"]) > 0
    for X, own in zip(parts, verdicts, strict=True):
        shares, base = _contributions(model, model_inputs(model.kind, own, X))
        if medians is None:
            medians = explanation.county_medians(parts.column, list(shares.columns), dictionary)
        reasons = explanation.write_reasons_in(
            langs, shares, X[shares.columns], dictionary, own, REASONS, county=medians,
            on_record=on_record.reindex(own["household_id"], fill_value=False).set_axis(X.index),
        )  # fmt: skip
        for lang, frame in reasons.items():
            written[lang].append(frame.assign(log_odds_base=base))
    return {lang: pd.concat(frames, ignore_index=True) for lang, frames in written.items()}


def _ranked(scores: pd.DataFrame, reasons: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the scores of each language, the highest first; languages share the columns of numbers."""
    scores = by_answer(scores)
    order, scores = scores.index, scores.reset_index(drop=True)
    scores["rank"] = np.arange(1, len(scores) + 1)
    further = [c for c in (REFERENCE_COLUMN, ANSWER) if c in scores]
    columns = [*SCORE_COLUMNS, *EXTRA_COLUMNS, *further]
    out = {}
    for lang in list(reasons):
        texts = reasons.pop(lang).loc[order].reset_index(drop=True)
        out[lang] = pd.concat([scores, texts], axis=1)[columns]
    return out


def scoring_warnings(county: County | KnownCounty, model: LoadedModel, scores: pd.DataFrame) -> list[str]:
    """Say where scores rest on little, and the mend: most incomes or features unknown.

    Parameters
    ----------
    county, model
        As they were scored.
    scores
        From `score`, of one day.

    Returns
    -------
    list of str
        Empty where more than half the incomes are known and they come month by month.
    """
    known, unknown = known_county(county, str(scores["as_of"].iloc[0])[:10]), scores["pcni"].isna()
    totals = bool(known.county.facts.get("spans.income"))
    if unknown.mean() < UNKNOWN_LIMIT and not totals:
        return []
    names = model.feature_set.names
    X = features.build_features(known, model.feature_set)[names]
    empty = int(X.isna().all().sum())
    if unknown.mean() < UNKNOWN_LIMIT and empty < UNKNOWN_LIMIT * len(names):
        return []
    reasons = scores.loc[unknown, "income_reason"].value_counts()
    why = f" ({', '.join(str(r) for r in reasons.index)})" if len(reasons) else ""
    mends = []
    if totals:
        mends.append("incomes are annual totals: train and score with the feature set household-annual-v1")
    if "production_unknown" in reasons:
        mends.append(
            "what production cost is unknown: bring the table spending, or say income_is_net: true in "
            "about.yaml if incomes were recorded net"
        )
    return [
        f"income is unknown for {int(unknown.sum())} of {len(scores)} households{why}, and {empty} of "
        f"{len(names)} features of {model.feature_set.id} ({empty / len(names):.0%}) have no value in any: "
        f"these scores say little; {'; '.join(mends) or 'see riskmodel check'}"
    ]


def log_scores(scores: pd.DataFrame, model: LoadedModel, store: str | Path) -> dict[str, Any]:
    """Log a scoring run: which model, data and rules, and how the scores lie; no household in it.

    Parameters
    ----------
    scores
        From `score`.
    model
        That made them.
    store
        MLflow's SQLite file.

    Returns
    -------
    dict
        ``scoring_run_id``, ``households``, ``in_cohort``, ``flagged``, ``unknown_income``, ``expected``
        (sum of their probabilities; None without), ``model``, ``model_version``, ``data_fingerprint``,
        ``as_of``.
    """
    first = scores.iloc[0]
    names = ("as_of", "model", "model_version", "run_id", "feature_set", "ruleset", "data_fingerprint")
    facts = {name: str(first[name]) for name in names}
    silent = bool(len(scores)) and scores["probability"].isna().all()
    counts: dict[str, Any] = {
        "households": len(scores),
        "in_cohort": int(scores["in_cohort"].sum()),
        "flagged": int(scores["flagged"].sum()),
        "unknown_income": int(scores["pcni"].isna().sum()),
        "expected": None if silent else float(scores.loc[scores["in_cohort"], "probability"].sum()),
    }
    households, edges = np.histogram(scores["probability"].dropna(), bins=np.linspace(0, 1, 21))
    histogram = {"edges": edges.tolist(), "households": households.tolist()}
    with start_run(f"{model.name}-scores", store, f"{model.name} {first['as_of']}") as run:
        run.params(facts)
        run.metrics({k: float(v) for k, v in counts.items() if v is not None})
        run.document(histogram, "score_histogram.json")
    return {"scoring_run_id": run.run_id, **counts, **facts}
