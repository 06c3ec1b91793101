"""Writing a county in the form of the data contract."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pandas as pd
import yaml

from riskmodel.data.county import County
from riskmodel.data.schema import SPAN_TABLES, About, contract, month_text
from riskmodel.errors import UsageError
from riskmodel.io import atomic, write_frame, write_text

Format = Literal["parquet", "csv", "xlsx"]
_MOST_EXCEL_ROWS = 1_048_575


def write_county(
    county: County | Mapping[str, pd.DataFrame],
    folder: str | Path,
    format: Format = "parquet",  # the word that users look for
    about: About | None = None,
) -> Path:
    """Write tables as one file each, months as ``YYYY-MM``, dates as dates, codes in English.

    Parameters
    ----------
    county
        A county (``recorded_on`` is then the day from which each row was known), or contract-like frames by
        table name, written as they are apart from month ordinals.
    folder
        Made if it is not there; files of the same name are replaced.
    format
        Of each table; amounts stay exact in parquet.
    about
        Written as ``about.yaml``; by default a county's own, where it says anything.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    UsageError
        If the format is none of these, or a table is too long for Excel.
    """
    if format not in ("parquet", "csv", "xlsx"):
        raise UsageError(f"{format!r} is no format; write parquet, csv or xlsx")
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    if isinstance(county, County):
        about = about or county.about
        frames: Mapping[str, pd.DataFrame] = {
            name: _contract_form(name, county)
            for name in county.tables
            if not contract().tables[name].derived
        }
    else:
        frames = county
    for name, frame in frames.items():
        _replace(out / f"{name}.{format}", _with_months(name, frame), format)
    content = about.model_dump(mode="json", exclude_defaults=True) if about else {}
    if content:
        write_text(yaml.safe_dump(content, sort_keys=True), out / "about.yaml")
    return out


def _contract_form(name: str, county: County) -> pd.DataFrame:
    frame = county.frame(name).rename(columns={"known_on": "recorded_on"})
    # A column without a value says nothing, and a typed one would not survive every format.
    optional = [c for c, spec in contract().tables[name].columns.items() if not spec.required and c in frame]
    return frame.drop(columns=[c for c in optional if frame[c].isna().all() and len(frame)])


def _with_months(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    out = frame.copy()
    columns = contract().tables[name].columns
    for column in out.columns:
        kind = columns[column].type if column in columns else None
        if kind == "month" and pd.api.types.is_numeric_dtype(out[column]):
            words = {m: month_text(int(m)) for m in out[column].dropna().unique()}
            out[column] = out[column].map(words).astype("str")
        elif kind == "date" or column == "recorded_on":
            out[column] = pd.to_datetime(out[column]).dt.date
    if name in SPAN_TABLES and "month" not in out and (out["month_from"] == out["month_to"]).all():
        out = out.rename(columns={"month_from": "month"}).drop(columns="month_to")
    return out


def _replace(path: Path, frame: pd.DataFrame, format: Format) -> None:
    with atomic(path) as temporary:
        if format == "parquet":
            frame.to_parquet(temporary, index=False)
        elif format == "csv":
            frame.to_csv(temporary, index=False, lineterminator="\n")
        elif len(frame) > _MOST_EXCEL_ROWS:
            raise UsageError(
                f"{path.stem}: {len(frame)} rows do not fit an Excel sheet; write parquet or csv"
            )
        else:
            write_frame(frame, temporary, path.stem, for_people=False)
