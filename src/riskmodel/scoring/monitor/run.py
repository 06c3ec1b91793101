"""One look at a model in use: everything measured, every alarm in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from riskmodel import features, rules
from riskmodel.data import County
from riskmodel.errors import UsageError
from riskmodel.evaluation import MONTHS, by_source, last_visits, weighted
from riskmodel.households import DateLike, point_in_time
from riskmodel.runs import LoadedModel, model_inputs
from riskmodel.scoring.monitor.drift import drift
from riskmodel.scoring.monitor.outcome import outcomes
from riskmodel.targets import Horizon

SCORE = "probability"
SCORE_WORDS = {"zh": "模型概率", "en": "probability"}
LEAST_MET = 10  # visits of a source, below which its yield says nothing
PLACES = ("township", "village")


@dataclass(frozen=True)
class Monitored:
    """What was found.

    Parameters
    ----------
    about : dict
        Model, version, dates, data fingerprint.
    drift : DataFrame
        `riskmodel.scoring.monitor.drift.drift` over the score and every feature, all households.
    outcomes : DataFrame
        `riskmodel.scoring.monitor.outcome.outcomes`; no row before a window is over.
    yields : DataFrame
        Findings of the last year's visits by source.
    weighted : DataFrame
        The same visits weighted by their logged chances; no row where none was logged.
    """

    about: dict[str, Any]
    drift: pd.DataFrame
    outcomes: pd.DataFrame
    yields: pd.DataFrame
    weighted: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def alarms(self) -> list[dict[str, str]]:
        """Return every alarm and every look, the gravest first: ``grade, what, zh, en``."""
        out = []
        moved = self.drift[self.drift["status"] != "ok"]
        for row in moved.to_dict("records"):
            figures = f"PSI {row['psi']:.2f} (95% {row['psi_limit']:.2f})"
            zh, en = f"{row['zh']} 的分布变了：{figures}", f"{row['en']} has moved: {figures}"
            # One feature that moved is no reason to stop; the score that moved is.
            grade = row["status"] if row["column"] == SCORE else "look"
            out.append({"grade": grade, "what": "drift", "zh": zh, "en": en})
        for row in self.drift[self.drift["missing_status"] != "ok"].to_dict("records"):
            figures = f"{row['missing_before']:.0%} → {row['missing_now']:.0%}"
            zh, en = f"{row['zh']} 缺得更多：{figures}", f"{row['en']} is missing more often: {figures}"
            out.append({"grade": "look", "what": "missing", "zh": zh, "en": en})
        for row in self.outcomes[self.outcomes["status"] != "ok"].to_dict("records"):
            figures = f"{row['observed']} / {row['expected']:.1f} [{row['low']:.0f}, {row['high']:.0f}]"
            zh = f"{row['as_of']} 的评分失准：实际 / 预计 {figures}"
            en = f"scores of {row['as_of']} are off: observed / expected {figures}"
            out.append({"grade": "alarm", "what": "calibration", "zh": zh, "en": en})
        return sorted(out + _yield_alarms(self.yields), key=lambda a: a["grade"])

    @property
    def summary(self) -> dict[str, Any]:
        """What a verb prints."""
        return {**self.about, "alarms": self.alarms, "months_judged": len(self.outcomes)}


def monitor(
    county: County,
    loaded: LoadedModel,
    as_of: DateLike,
    reference: DateLike,
    *,
    past: Sequence[pd.DataFrame] = (),
    cohort: Sequence[str] = ("all",),
) -> Monitored:
    """Compare a model's county now with its county at a reference date, and its past scores with what came.

    Parameters
    ----------
    county : County
    loaded : LoadedModel
    as_of : date or ISO text
    reference : date or ISO text
        Earlier; a year before compares the same season.
    past : sequence of DataFrame
        Scores of past months as made then, see `riskmodel.scoring.monitor.outcome.outcomes`.
    cohort : sequence of str
        Whom the model was trained on.

    Returns
    -------
    Monitored

    Raises
    ------
    UsageError
        If the reference is not before as-of, or nobody is known at one of the dates.
    """
    day, then = point_in_time.to_date(as_of), point_in_time.to_date(reference)
    if then >= day:
        raise UsageError(f"--reference {then} is not before --as-of {day}; a year before is the same season")
    frames = {d: _at(county, loaded, d) for d in (then, day)}
    names = features.describe(loaded.feature_set)
    named = pd.concat([pd.DataFrame([{"id": SCORE, **SCORE_WORDS}]), names[["id", "zh", "en"]]])
    params = dict(loaded.card["params"])
    horizon = Horizon(months=int(loaded.card["horizon_months"]))
    made = outcomes(
        county, past, events=loaded.card["events"], horizon=horizon, cohort=cohort,
        ruleset=loaded.ruleset, params=params, as_of=day,
    )  # fmt: skip
    places = {d: {by: frame.pop(f" {by}").nunique() for by in PLACES} for d, frame in frames.items()}
    shared = {
        f.id: (places[then][f.by], places[day][f.by]) for f in loaded.feature_set.features if f.by is not None
    }
    visits = last_visits(county, day, MONTHS)
    return Monitored(
        about={
            "model": loaded.name,
            "version": loaded.version,
            "run_id": loaded.run_id,
            "as_of": day.isoformat(),
            "reference": then.isoformat(),
            "households": len(frames[day]),
            "data_fingerprint": point_in_time.fingerprint(county, day),
        },
        drift=drift(frames[then], frames[day], named, shared),
        outcomes=made,
        yields=by_source(visits),
        weighted=weighted(visits),
    )


def _yield_alarms(yields: pd.DataFrame) -> list[dict[str, str]]:
    """Alarm where the model's visits find less than the lot's, beyond both intervals."""
    rows = {str(r["selected_by"]): r for r in yields.to_dict("records")}
    ours, lot = rows.get("model"), rows.get("random")
    if ours is None or lot is None:
        return []
    if any(r["confirmed"] + r["not_confirmed"] < LEAST_MET for r in (ours, lot)):
        return []
    if ours["high"] >= lot["low"]:
        return []
    figures = f"{ours['rate']:.0%} < {lot['rate']:.0%}"
    zh = f"模型名单的属实率低于抽签：{figures}，超出区间"
    en = f"the model's visits find less than the lot's: {figures}, beyond their intervals"
    return [{"grade": "alarm", "what": "yield", "zh": zh, "en": en}]


def _at(county: County, loaded: LoadedModel, day: Any) -> pd.DataFrame:
    """Return features and probability of every household known at a date."""
    verdicts = rules.evaluate(county, loaded.ruleset, day, params=dict(loaded.card["params"]))
    if verdicts.empty:
        raise UsageError(f"no household is known at {day}; give a later date")
    X = features.build(county, loaded.feature_set, day).set_index("household_id")
    X = X.loc[verdicts["household_id"], loaded.feature_set.names].reset_index(drop=True)
    chance = loaded.model.predict_proba(model_inputs(loaded.kind, verdicts, X))[:, 1]
    # Where a household lives says how many independent values a village's or township's figure has.
    where = {
        " township": verdicts["township"].astype(str),
        " village": verdicts["township"].astype(str) + "\x1f" + verdicts["village"].astype(str),
    }
    beside = pd.DataFrame({name: values.to_numpy() for name, values in where.items()})
    return pd.concat([pd.Series(chance, name=SCORE), X, beside], axis=1)
