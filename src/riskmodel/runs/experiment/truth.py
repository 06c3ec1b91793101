"""Whether a simulated county's true chances answer an experiment's question, and for which test dates."""

from __future__ import annotations

import pandas as pd

from riskmodel import rules
from riskmodel.data import County
from riskmodel.runs.experiment.declared import Experiment


def other_question(exp: Experiment, county: County) -> dict[str, str] | None:
    """Return why a simulated county's true chances do not answer an experiment, in both languages, or None.

    The simulator's truth is of net income over the twelve months that end with the window, by its own line.

    Parameters
    ----------
    exp : Experiment
    county : County

    Returns
    -------
    dict or None
        ``zh`` and ``en``.
    """
    made = county.about.simulated
    if made is None or exp.events != ("below_line",):
        return None
    ruleset = rules.load(exp.ruleset)
    line, period = ruleset.values(exp.params).get(ruleset.line), ruleset.period(exp.params)
    if line == made["line"] and period.months == 12 and not period.calendar_year:
        return None
    asked_zh = f"按 {period.months} 个月、监测线 {line}"
    asked_en = f"over {period.months} months and the line {line}"
    return {
        "zh": f"真实风险按十二个月、{made['line']} 元模拟，本实验{asked_zh}：不作对照",
        "en": f"true chances are of twelve months and {made['line']} yuan, the run {asked_en}: not compared",
    }


def unanswered(exp: Experiment, truth: pd.DataFrame, days: pd.Series) -> dict[str, str] | None:
    """Return on which test dates the true chances of an experiment are not known, or None if on all.

    Parameters
    ----------
    exp : Experiment
    truth : DataFrame
        ``truth.parquet``.
    days : Series of date
        Test dates, any number of times.

    Returns
    -------
    dict or None
        ``zh`` and ``en``, with the mend.
    """
    known = truth_of(exp, truth)
    if known is None:
        return None
    tested = {day.date().isoformat() for day in pd.to_datetime(days.unique())}
    there = {day.date().isoformat() for day in known["as_of"].unique()}
    lacking = sorted(tested - there)
    if not lacking:
        return None
    event, ahead = exp.events[0], exp.horizon.months
    again = " ".join([f"--horizon {ahead}", *(f"--truth-at {day}" for day in sorted(tested))])
    return {
        "zh": f"truth.parquet 没有 {', '.join(lacking)} 未来 {ahead} 个月 {event} 的真实概率，"
        f"这些日期不作对照：可加 {again} 重新模拟",
        "en": f"truth.parquet holds no chance of {event} within {ahead} months at {', '.join(lacking)}: not "
        f"compared there; simulate again with {again}",
    }


def truth_of(exp: Experiment, truth: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return the true chances of an experiment's own event and horizon; None where it has no single one.

    Parameters
    ----------
    exp : Experiment
    truth : DataFrame or None
        ``truth.parquet``.

    Returns
    -------
    DataFrame or None
        ``household_id, as_of, probability, …`` of that event and horizon.
    """
    if truth is None or len(exp.events) != 1 or exp.horizon.next:
        return None
    known = truth[(truth["event"] == exp.events[0]) & (truth["horizon_months"] == exp.horizon.months)]
    return known.assign(
        as_of=pd.to_datetime(known["as_of"]), household_id=known["household_id"].astype(str)
    ).drop(columns=["event", "horizon_months", "outcome"], errors="ignore")
