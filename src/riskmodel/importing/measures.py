"""Measures that stand in columns of their own: one row of ``support`` for each step that a cell names."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence

import pandas as pd

from riskmodel.importing.mapping import TableMap
from riskmodel.importing.sheet_layout import text_of
from riskmodel.importing.vocabulary import normalise_word

_NOTHING = ("-", "--", "/", "—", "——", "未实施", "尚未实施", "未享受")
_LONGEST_STEP = 20  # longer texts are remarks, in which anything may stand


def measure_rows(
    table: TableMap,
    base: pd.DataFrame,
    columns: Sequence[tuple[int, str, Sequence[object]]],
    booleans: Mapping[str, str],
    day: dt.date | None,
) -> pd.DataFrame:
    """Return one row of ``support`` for each step taken: known by the day of the list, whenever it was taken.

    Parameters
    ----------
    table
        What the map says of it.
    base
        Whose each row of the sheet is.
    columns
        Column, code of the measure and cells of each measure.
    booleans
        Yes and no.
    day
        Of the list.
    """
    frames = [
        base.iloc[[at]].assign(measure=code, detail=step or None, col=column)
        for column, code, values in columns
        for at, value in enumerate(values)
        for step in _steps(value, booleans)
    ]
    if not frames:
        return pd.DataFrame()
    out = pd.concat(frames, ignore_index=True).astype(object)
    written = out["recorded_on"] if "recorded_on" in out else pd.Series(None, index=out.index)
    out["date"] = out["recorded_on"] = written.where(written.notna(), day)
    out["date_known"] = False
    return out.drop_duplicates(["household_id", "measure", "detail"]) if table.once else out


def _steps(value: object, booleans: Mapping[str, str]) -> list[str]:
    """Return the steps that a cell of a measure names; one without a name where it only says yes."""
    words = [w for w in re.split(r"[,，、;；\n]+", text_of(value)) if w.strip()]
    said = [booleans.get(normalise_word(w)) for w in words]
    named = [
        w.strip()
        for w, yes in zip(words, said, strict=True)
        if yes is None and normalise_word(w) not in _NOTHING
    ]
    named = ["" if len(w) > _LONGEST_STEP or re.search(r"\d{6}", w) else w for w in named]
    return named or ([""] if "true" in said else [])
