"""The months gone by: which there are, what made them, and the scores a household had in each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from riskmodel.errors import InputMissing, InputRefused
from riskmodel.io import files
from riskmodel.io.checkpoints import Checkpoints
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
    out : str or Path
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
        made = settings.read_settings(folder)
        if made is None:
            continue
        steps = Checkpoints(folder)
        told = {name: found["told"] for name in STEPS if (found := steps.read(name))}
        scores, listed = told.get("score", {}), told.get("worklist", {})
        whole = set(told) == set(STEPS) and not any(map(steps.changed_files, STEPS))
        rows.append(
            {
                "as_of": made.as_of.isoformat(),
                **{name: getattr(made, name) for name in MADE_BY},
                "quota": ", ".join(made.quota),
                "data_fingerprint": scores.get("data_fingerprint"),
                "households": scores.get("households"),
                "flagged": scores.get("flagged"),
                "planned": listed.get("planned"),
                "complete": whole,
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
    out : str or Path
        The folder of all months.
    households : sequence of str, optional
        Only these.
    lang : str
        Of the reasons.
    columns : sequence of str
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
    found = pd.concat(parts, ignore_index=True)
    return found[list(columns)] if columns else found


def past_scores(out: str | Path, model: str, before: dt.date) -> list[pd.DataFrame]:
    """Return the scores of earlier months by any version of a model, with who was on the list.

    Parameters
    ----------
    out : str or Path
        The folder of all months.
    model : str
        Registered name.
    before : date

    Returns
    -------
    list of DataFrame
        One a month: ``household_id, as_of, probability, listed``.
    """
    parts = []
    for folder in _folders(Path(out)):
        made = settings.read_settings(folder)
        stands = all(Checkpoints(folder).read(step) is not None for step in ("worklist", "score"))
        if made is None or not stands or made.as_of >= before or made.model.partition("@")[0] != model:
            continue
        found = read_month_scores(folder)[["household_id", "as_of", "probability"]]
        chosen = files.read_table(folder / "worklist.parquet")
        on = set(chosen.loc[chosen["planned"], "household_id"])
        parts.append(found.assign(listed=found["household_id"].isin(on)))
    return parts


def read_month_scores(folder: Path, lang: str = "zh") -> pd.DataFrame:
    """Return one month's scores.

    Raises
    ------
    InputRefused
        If they are not the file that was made: they would be quoted under a wrong name.
    """
    name = score_file(lang)
    if name in Checkpoints(folder).changed_files("score"):
        raise InputRefused(
            f"{folder / name} is not the file that was made; make the month again: riskmodel month DATA "
            f"--as-of {folder.name}"
        )
    return files.read_table(folder / name)


def _folders(out: Path) -> list[Path]:
    return sorted(p for p in out.iterdir() if (p / settings.FILE).is_file()) if out.is_dir() else []
