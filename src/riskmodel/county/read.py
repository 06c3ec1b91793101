"""Reading a county from files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from riskmodel.county.county import About, County, from_frames
from riskmodel.county.schema import codes, contract
from riskmodel.errors import InputRefused
from riskmodel.spec import load


def read(data: str | Path) -> County:
    """Read a county folder of Parquet and CSV files (happy path; checks follow).

    Parameters
    ----------
    data : str or Path
        A folder in the form of the data contract.

    Returns
    -------
    County

    Raises
    ------
    InputRefused
        If a required table is missing.
    """
    folder = Path(data)
    about = load(folder / "about.yaml", About) if (folder / "about.yaml").is_file() else About()
    frames = {}
    for name, spec in contract().tables.items():
        for stem in (name, spec.zh):
            if (folder / f"{stem}.parquet").is_file():
                frames[name] = _english(name, pd.read_parquet(folder / f"{stem}.parquet"))
            elif (folder / f"{stem}.csv").is_file():
                frames[name] = _english(name, pd.read_csv(folder / f"{stem}.csv", encoding="utf-8-sig"))
    missing = [name for name in contract().required if name not in frames]
    if missing:
        raise InputRefused(f"{folder}: no table {', '.join(missing)}; put {missing[0]}.csv or .parquet there")
    return from_frames(frames, about)


def _english(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    columns = contract().tables[name].columns
    frame = frame.rename(
        columns={col.zh: column for column, col in columns.items()} | {"录入日期": "recorded_on"}
    )
    for column, col in columns.items():
        if column not in frame:
            continue
        words = {zh: en for en, zh in codes(name, column).items()}
        if col.type == "code":
            frame[column] = frame[column].replace(words)
        elif col.type in ("id", "text"):
            frame[column] = frame[column].map(str, na_action="ignore")
    return frame
