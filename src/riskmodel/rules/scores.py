"""Reading a model's scores for the rule sets that use its probability."""

from __future__ import annotations

from pathlib import Path

import ibis
import pandas as pd
import pyarrow as pa

from riskmodel.errors import InputMissing, InputRefused, UsageError
from riskmodel.households import Moment


def read_scores(scores: pd.DataFrame | str | Path) -> pd.DataFrame:
    """Return ``household_id, as_of, probability`` from a frame or a Parquet, CSV or XLSX file.

    Raises
    ------
    UsageError
        If its ending is none of these.
    InputMissing
        If there is no such file.
    InputRefused
        If a column is missing, a household stands twice at one as-of, or a probability is not in 0–1.
    """
    if not isinstance(scores, pd.DataFrame):
        scores = _read(Path(scores))
    missing = [c for c in ("household_id", "as_of", "probability") if c not in scores]
    if missing:
        raise InputRefused(f"scores lack the column {', '.join(missing)}")
    out = scores[["household_id", "as_of", "probability"]].copy()
    out["as_of"] = pd.to_datetime(out["as_of"]).dt.date
    out["probability"] = out["probability"].astype(float)
    if out.duplicated(["household_id", "as_of"]).any():
        raise InputRefused("scores hold a household twice at one as-of date; keep one horizon and model")
    if not out["probability"].dropna().between(0, 1).all():
        raise InputRefused("scores hold a probability outside 0 to 1")
    return out


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise InputMissing(f"no scores file {str(path)!r}")
    as_text = {"household_id": str}  # ids may be digits with leading zeros
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix == ".csv":
        return pd.read_csv(path, dtype=as_text)
    if path.suffix == ".xlsx":
        return pd.read_excel(path, dtype=as_text)
    raise UsageError(f"scores {str(path)!r}: the file must end in .parquet, .csv or .xlsx")


def score_table(scores: pd.DataFrame | str | Path, when: tuple[Moment, ...]) -> pa.Table:
    """Return scores as a table to join on, an input of compiled queries.

    Parameters
    ----------
    scores : DataFrame or path
        See `read_scores`.
    when : tuple of Moment

    Returns
    -------
    pyarrow.Table
        ``household_id, as_of, score_probability``. Only a score at the very as-of date counts.

    Raises
    ------
    InputRefused
        If no score is for any of the dates.
    """
    frame = read_scores(scores).rename(columns={"probability": "score_probability"})
    asked = {m.as_of for m in when}
    if not asked & set(frame["as_of"]):
        days = ", ".join(sorted({str(d) for d in frame["as_of"]})[:5]) or "no date"
        raise InputRefused(f"scores are for {days}; asked for {', '.join(str(d) for d in sorted(asked)[:5])}")
    types = {"household_id": "string", "as_of": "date", "score_probability": "float64"}
    return pa.Table.from_pandas(
        frame[list(types)], schema=ibis.schema(types).to_pyarrow(), preserve_index=False
    )
