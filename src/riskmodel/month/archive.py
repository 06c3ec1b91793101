"""The months gone by: which there are, what made them, and the scores a household had in each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from riskmodel.errors import InputMissing, InputRefused
from riskmodel.io import Checkpoints, read_table
from riskmodel.month import settings
from riskmodel.month.pipeline import STEPS, score_file

MADE_BY = (
    "model", "model_kind", "run_id", "feature_set", "feature_set_hash", "ruleset", "visits", "random_share",
    "quota", "floor", "beyond", "seed",
)  # fmt: skip


def list_months(out: str | Path) -> pd.DataFrame:
    """Return what made each month.

    Parameters
    ----------
    out
        The folder of all months.

    Returns
    -------
    DataFrame
        One row a month: ``as_of``, `MADE_BY`, ``data_fingerprint`` (of the rows known then),
        ``households, flagged, planned``, ``complete`` (every step is done and untouched).

    Raises
    ------
    InputMissing
        If there is no month.
    """
    rows = []
    for folder in _folders(Path(out)):
        month = settings.read_settings(folder)
        if month is None:
            continue
        steps = Checkpoints(folder)
        results = {name: steps.result(name) for name in STEPS if steps.read(name)}
        scores, worklist = results.get("score", {}), results.get("worklist", {})
        complete = set(results) == set(STEPS) and not any(map(steps.changed_files, STEPS))
        rows.append(
            {
                "as_of": month.as_of.isoformat(),
                **{name: getattr(month, name) for name in MADE_BY},
                "quota": ", ".join(month.quota),
                "data_fingerprint": scores.get("data_fingerprint"),
                "households": scores.get("households"),
                "flagged": scores.get("flagged"),
                "planned": worklist.get("planned"),
                "complete": complete,
            }
        )
    if not rows:
        raise InputMissing(f"no month in {out}; make one with riskmodel month DATA --as-of DATE --visits N")
    return pd.DataFrame(rows)


def scores_by_month(
    out: str | Path, households: Sequence[str] | None = None, lang: str = "zh", columns: Sequence[str] = ()
) -> pd.DataFrame:
    """Return the scores of every month, as they were made then.

    Parameters
    ----------
    out
        The folder of all months.
    households
        Only these ids; all by default.
    lang
        Of the reasons: ``zh`` or ``en``.
    columns
        Only these columns; all by default.

    Returns
    -------
    DataFrame
        The contract's Scores columns, month after month: each row says which model version, training run,
        feature set, rule set and data (fingerprint) made it.

    Raises
    ------
    InputMissing
        If there is no month with scores.
    InputRefused
        If a month's scores are not the file that was made: they would be quoted under a wrong name.
    """
    parts = []
    for folder in _folders(Path(out)):
        if Checkpoints(folder).read("score") is None:
            continue
        frame = read_month_scores(folder, lang)
        parts.append(frame if households is None else frame[frame["household_id"].isin(list(households))])
    if not parts:
        raise InputMissing(f"no month with scores in {out}; make one with riskmodel month DATA --as-of DATE")
    scores = pd.concat(parts, ignore_index=True)
    return scores[list(columns)] if columns else scores


def past_scores(out: str | Path, model: str, before: dt.date) -> list[pd.DataFrame]:
    """Return the scores of earlier months by any version of a model, with who was on the list.

    Parameters
    ----------
    out
        The folder of all months.
    model
        Registered name.
    before
        Only months whose as-of date is earlier.

    Returns
    -------
    list of DataFrame
        One a month: ``household_id, as_of, probability, listed``.
    """
    parts = []
    for folder in _folders(Path(out)):
        month = settings.read_settings(folder)
        complete = all(Checkpoints(folder).read(step) is not None for step in ("worklist", "score"))
        if month is None or not complete or month.as_of >= before or month.model.partition("@")[0] != model:
            continue
        scores = read_month_scores(folder)[["household_id", "as_of", "probability"]]
        worklist = read_table(folder / "worklist.parquet")
        planned = set(worklist.loc[worklist["planned"], "household_id"])
        parts.append(scores.assign(listed=scores["household_id"].isin(planned)))
    return parts


def read_month_scores(folder: Path, lang: str = "zh") -> pd.DataFrame:
    """Return one month's scores; refuse a file that is not the one that was made."""
    name = score_file(lang)
    if name in Checkpoints(folder).changed_files("score"):
        raise InputRefused(
            f"{folder / name} is not the file that was made; make the month again: riskmodel month DATA "
            f"--as-of {folder.name}"
        )
    return read_table(folder / name)


def _folders(out: Path) -> list[Path]:
    return sorted(p for p in out.iterdir() if (p / settings.FILE).is_file()) if out.is_dir() else []
