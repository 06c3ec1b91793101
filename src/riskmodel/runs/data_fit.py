"""Whether a county's data can carry what an experiment declares: coverage, basis and horizon of its dates.

Dates at which most incomes are not on record are left out; monthly features give way to annual ones where
incomes are annual totals; of dates that ask for one and the same outcome one is kept, and horizons are not
mixed. What was changed is said in the run's notes; what cannot be mended is refused with its cause.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from riskmodel import features, rules, targets
from riskmodel.data import County, fetch_table, month_end
from riskmodel.errors import InputRefused
from riskmodel.households import known_county
from riskmodel.i18n import LANGUAGES, Message, section
from riskmodel.models import build_model, model_entry
from riskmodel.runs.experiment import Experiment, as_of_dates
from riskmodel.targets import KEY

# A date at which fewer than half of the incomes are known describes the records, not the county (assumption).
# Who is no longer written up is left aside: a panel that asks each household for a while drops most of them.
LEAST_KNOWN = 0.5
# Where totals judge at least half of the households, features of months are those of a minority (assumption).
MOSTLY_TOTALS = 0.5
ANNUAL = {"household-v1": "household-annual-v1", "household-v2": "household-annual-v1"}
# Features that say nothing are told of where they are more than a tenth (assumption).
LEAST_SAID = 0.1
LEFT_OUT = ("before snapshot", "dates left out", "one horizon")
SEPARATOR = {"zh": "、", "en": ", "}
# Figures of fewer rows could point at a household.
LEAST_ROWS = 10


@dataclass(frozen=True)
class DataFit:
    """An experiment as its county can carry it.

    Attributes
    ----------
    experiment
        With the feature set that the incomes can support.
    days
        The as-of dates that are left.
    notes
        What was changed and why, and what a reader must know of the records.
    unknown
        `riskmodel.targets.count_unknown_incomes` at all declared dates, those left out included.
    """

    experiment: Experiment
    days: tuple[dt.date, ...]
    notes: tuple[Message, ...]
    unknown: pd.DataFrame


def fit_to_data(exp: Experiment, county: County) -> DataFit:
    """Fit an experiment to what is on record.

    Parameters
    ----------
    exp
        What is declared.
    county
        The checked tables.

    Returns
    -------
    DataFit
        What is run.

    Raises
    ------
    InputRefused
        If the records cannot carry it: nobody is known at its dates, no income is on record, totals are too
        few for the horizon, or monthly features stand on annual totals.
    """
    days = as_of_dates(exp, county)
    period = rules.load_rules(exp.ruleset).period(exp.params)
    known = known_county(county, days)
    t = known.accounts(period).select(*KEY, "pcni", "previous_pcni", "income_basis", "income_reason")
    table = fetch_table(known, t)
    if table.empty:
        raise InputRefused(_nobody_known(county, days))
    table["as_of"] = pd.to_datetime(table["as_of"])
    notes: list[Message] = []
    days = _dates_after_snapshot(table, county, days, notes)
    days = _dates_on_record(table, days, notes)
    table = table[table["as_of"].isin(pd.to_datetime(list(days)))]
    totals = float(table.loc[table["pcni"].notna(), "income_basis"].eq("total").mean())
    exp = _with_basis(exp, totals, notes)
    if totals >= MOSTLY_TOTALS and not exp.horizon.next and "below_line" in exp.events:
        try:
            days = _one_horizon(exp, county, days, notes)
        except InputRefused as exc:
            raise say_left_out(exc, notes) from exc
    _say_what_is_missing(table, totals, notes)
    unknown = targets.count_unknown_incomes(known, ruleset=exp.ruleset, params=exp.params)
    return DataFit(exp, days, tuple(notes), unknown)


def _nobody_known(county: County, days: tuple[dt.date, ...]) -> str:
    snapshot = county.about.snapshot_on
    dates = f"the as-of dates {days[0]} to {days[-1]}" if len(days) > 1 else f"the as-of date {days[0]}"
    if snapshot and snapshot > days[-1]:
        return (
            f"households and members carry no dates of their own and are known only from {snapshot} "
            f"(snapshot_on), after {dates}: nobody is known there, so nothing can be learned of the past. "
            "Give valid_from or recorded_on in households and members, or train once outcomes after the "
            "snapshot are on record"
        )
    return f"no household is known at {dates}: check recorded_on and valid_from of households"


def _dates_after_snapshot(
    table: pd.DataFrame, county: County, days: tuple[dt.date, ...], notes: list[Message]
) -> tuple[dt.date, ...]:
    """Leave out dates before the snapshot at which most households, or who lives in them, are not known."""
    snapshot = county.about.snapshot_on
    if snapshot is None:
        return days
    people = table[table["income_reason"].ne("no_persons")].groupby("as_of").size()
    all_households = county.table("households").household_id.nunique().to_pyarrow().as_py()
    left = [
        d for d in days
        if d < snapshot and people.get(pd.Timestamp(d), 0) < LEAST_KNOWN * all_households
    ]  # fmt: skip
    if len(left) == len(days):
        raise InputRefused(_nobody_known(county, days))
    if left:
        named = {"days": ", ".join(map(str, left)), "snapshot": snapshot}
        notes.append(Message("runs.fit.before snapshot", named))
    return tuple(d for d in days if d not in left)


def _dates_on_record(
    table: pd.DataFrame, days: tuple[dt.date, ...], notes: list[Message]
) -> tuple[dt.date, ...]:
    """Leave out dates at which most incomes are not on record."""
    there = table[~table["income_reason"].isin(["no_persons", "not_yet_recorded"])]
    share = there["pcni"].notna().groupby(there["as_of"]).mean()
    unknown = table[table["pcni"].isna()]
    kept = tuple(d for d in days if share.get(pd.Timestamp(d), 0.0) >= LEAST_KNOWN)
    left = [d for d in days if d not in kept]
    if not left:
        return kept
    reasons = unknown.loc[unknown["as_of"].isin(pd.to_datetime(left)), "income_reason"].value_counts()
    words = describe_reasons(reasons.to_dict())
    if not kept:
        raise InputRefused(
            f"at none of the as-of dates {days[0]} to {days[-1]} half of the incomes are on record "
            f"({words['en']}): nothing can be learned; check the first month of the records and records that "
            "are late (riskmodel check)"
        )
    notes.append(Message("runs.fit.dates left out", {"days": ", ".join(map(str, left)), "reasons": words}))
    return kept


def _with_basis(exp: Experiment, totals: float, notes: list[Message]) -> Experiment:
    """Let annual features stand for monthly ones where incomes are annual totals."""
    if totals < MOSTLY_TOTALS:
        return exp
    monthly = [f.id for f in features.load_feature_set(exp.feature_set).features if f.months]
    if not monthly:
        return exp
    annual = ANNUAL.get(exp.feature_set)
    if annual is None:
        raise InputRefused(
            f"feature_set {exp.feature_set}: {totals:.0%} of the incomes are annual totals, but "
            f"{len(monthly)} features need months ({', '.join(monthly[:3])}, …); leave them out or use "
            "household-annual-v1"
        )
    values = {"share": totals, "features": len(monthly), "declared": exp.feature_set, "used": annual}
    notes.append(Message("runs.fit.annual features", values))
    names = set(features.load_feature_set(annual).names)
    kept = tuple(m for m in exp.models if _named_columns(exp, m) <= names)
    left = [m for m in exp.models if m not in kept]
    if exp.champion in left:
        raise InputRefused(f"champion {exp.champion} needs columns of months, and incomes are annual totals")
    if left:
        notes.append(Message("runs.fit.models of months", {"models": ", ".join(left)}))
    fallback = exp.fallback
    if fallback is not None and not _named_columns(exp, fallback.model) <= names:
        fallback = None
    lines = exp.augment_lines and exp.augment_lines.among(kept)
    changed = {"feature_set": annual, "models": kept, "fallback": fallback, "augment_lines": lines}
    return exp.model_copy(update=changed)


def _named_columns(exp: Experiment, name: str) -> set[str]:
    """Return the features that a model names, where it takes only some."""
    if model_entry(name).needs != "features":
        return set()
    columns = getattr(build_model(name, _plain(exp.model_params.get(name, {}))), "columns", None)
    return set(columns or ())


def _plain(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters without the word that stands for the declared directions."""
    return {key: value for key, value in params.items() if key != "monotone"}


def _one_horizon(
    exp: Experiment, county: County, days: tuple[dt.date, ...], notes: list[Message]
) -> tuple[dt.date, ...]:
    """Keep one date an outcome, all of one real horizon: the nearest to the declared that can be tested."""
    labels = targets.build_targets(county, days, exp.horizon, exp.events, exp.ruleset, params=exp.params)
    labels = labels[labels["label"].notna()]
    real = labels.groupby("as_of")["real_horizon_months"].agg(lambda h: h.mode().iloc[0])
    horizon_of = {pd.Timestamp(str(day)).date(): int(h) for day, h in real.items()}
    lag = county.about.entry_lag_months
    delay = dt.timedelta(days=county.about.recording_delay_days)
    options: dict[int, list[dt.date]] = {}
    for day in sorted(horizon_of):
        options.setdefault(horizon_of[day], []).append(day)
    order = sorted(options, key=lambda h: (abs(h - exp.horizon.months), -h))
    testable = [
        h for h in order
        if any(month_end(_ordinal(a) + h + lag) + delay <= b for a in options[h] for b in options[h])
    ]  # fmt: skip
    if not testable:
        counts = "; ".join(f"{h} months: {len(options[h])}" for h in order) or "none"
        raise InputRefused(
            "incomes are annual totals: an outcome is the first total that starts after those the features "
            f"saw, and it is known {lag} months after its end; the as-of dates by their real horizon are "
            f"{counts}. None leaves an earlier date whose outcome is known before a later one: totals of "
            "more years are needed"
        )
    chosen = testable[0]
    kept = tuple(options[chosen])
    left = [d for d in days if d not in kept]
    if left or chosen != exp.horizon.months:
        values = {
            "horizon": chosen, "declared": exp.horizon.months, "days": ", ".join(map(str, kept)),
            "mixed": ", ".join(str(h) for h in sorted(options)), "left": len(left),
        }  # fmt: skip
        notes.append(Message("runs.fit.one horizon", values))
    return kept


def _ordinal(day: dt.date) -> int:
    return day.year * 12 + day.month - 1


def _say_what_is_missing(table: pd.DataFrame, totals: float, notes: list[Message]) -> None:
    """Say on which dates last year's income is not on record, and that bases are mixed."""
    known = table[table["pcni"].notna()]
    without = known["previous_pcni"].isna().groupby(known["as_of"]).mean()
    days = [str(day)[:10] for day, share in without.items() if share > 1 - LEAST_KNOWN]
    if days:
        notes.append(Message("runs.fit.no previous year", {"days": ", ".join(days)}))
    if 0 < totals < MOSTLY_TOTALS:
        notes.append(Message("runs.fit.mixed basis", {"share": totals}))


def say_left_out(exc: InputRefused, notes: Sequence[Message]) -> InputRefused:
    """Return a refusal that also says which dates were left out before, and why."""
    left = [note.text("en") for note in notes if note.code in LEFT_OUT]
    return InputRefused("; ".join([str(exc), *left]))


def columns_without_information(X: pd.DataFrame) -> Message | None:
    """Say how many features are the same for every training row; None where that is at most a tenth.

    Parameters
    ----------
    X
        The training rows' features.
    """
    empty, constant = 0, 0
    for name in X.columns:  # least and largest tell it, without a table of each column's values
        values = X[name].to_numpy(dtype=float, na_value=np.nan)
        gaps = np.isnan(values)
        empty += int(gaps.all())
        constant += int(not gaps.any() and len(values) and values.min() == values.max())
    if empty + constant <= LEAST_SAID * X.shape[1]:
        return None
    return Message("runs.fit.no information", {"of": X.shape[1], "empty": empty, "constant": constant})


def describe_reasons(counts: Mapping[Any, int]) -> dict[str, str]:
    """Return reasons with their numbers, the most frequent first, in every language."""
    words = {**section("rules.reasons"), **section("runs.reasons")}
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return {
        lang: SEPARATOR[lang].join(f"{_word(words, reason, lang)} {n}" for reason, n in ordered)
        for lang in LANGUAGES
    }


def _word(words: Mapping[str, Mapping[str, str]], reason: str, lang: str) -> str:
    return words[reason][lang] if reason in words else reason


def count_nulls(rows: pd.DataFrame, fold: str, role: str) -> pd.DataFrame:
    """Count rows without a known outcome by reason.

    Parameters
    ----------
    rows
        ``y`` and ``label_reason``.
    fold, role
        Whose rows: named in the answer.

    Returns
    -------
    DataFrame
        ``fold, role, reason, rows, share`` (of all the rows).
    """
    missing = rows.loc[rows["y"].isna(), "label_reason"].fillna("").value_counts()
    out = missing.rename_axis("reason").rename("rows").reset_index()
    share = out["rows"] / max(len(rows), 1)
    return out.assign(fold=fold, role=role, share=share.astype(float))[
        ["fold", "role", "reason", "rows", "share"]
    ]


def describe_by_outcome(X: pd.DataFrame, y: ArrayLike) -> pd.DataFrame:
    """Describe columns apart for rows with and without the event.

    Parameters
    ----------
    X : DataFrame of shape (n, p)
        Numeric columns; NaN is missing.
    y : array of shape (n,)
        0/1.

    Returns
    -------
    DataFrame
        A row a column: ``column``, ``flag`` (only 0 and 1 occur: its mean is a share), ``difference`` (of the
        means, by the pooled standard deviation; Austin 2009), and of both outcomes (``…_0``, ``…_1``) ``n``
        (rows), ``missing``, ``mean, sd, median, lower, upper`` (quartiles), NaN below ten known rows.
    """
    target = np.asarray(y, dtype=float)
    sides = {side: _described(X[target == side]).add_suffix(f"_{side}") for side in (0, 1)}
    out = pd.concat(sides.values(), axis=1)
    spread = np.sqrt((out["sd_0"] ** 2 + out["sd_1"] ** 2) / 2)
    out["difference"] = ((out["mean_1"] - out["mean_0"]) / spread.where(spread > 0)).astype(float)
    values = X.to_numpy(dtype=float)
    known = ~np.isnan(values)
    out["flag"] = (np.isin(values, (0.0, 1.0)) | ~known).all(axis=0) & known.any(axis=0)
    return out.rename_axis("column").reset_index()


def _described(rows: pd.DataFrame) -> pd.DataFrame:
    known = rows.notna().sum()
    quartiles = rows.quantile([0.25, 0.5, 0.75])
    out = pd.DataFrame({
        "n": len(rows), "missing": len(rows) - known, "mean": rows.mean(), "sd": rows.std(),
        "median": quartiles.loc[0.5], "lower": quartiles.loc[0.25], "upper": quartiles.loc[0.75],
    })  # fmt: skip
    figures = ["mean", "sd", "median", "lower", "upper"]
    out[figures] = out[figures].where(known >= LEAST_ROWS)
    return out
