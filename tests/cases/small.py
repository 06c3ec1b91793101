"""A county of a few households whose papers are short enough to follow every case by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from riskmodel.data import County, from_frames
from riskmodel.households import KnownCounty, known_county

HOMES = {"h1": "东乡", "h2": "东乡", "h3": "西乡", "h4": "西乡", "h5": "西乡", "h6": "西乡"}


def households(registration: str = "general", homes: Iterable[str] = tuple(HOMES)) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "household_id": h,
                "township": HOMES[h],
                "village": f"{HOMES[h]}一村",
                "registration": registration,
                "valid_from": "2019-01-01",
            }
            for h in homes
        ]
    )


def members(homes: Iterable[str] = tuple(HOMES)) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "member_id": f"{h}-1",
                "household_id": h,
                "birth_month": "1980-01",
                "relation": "head",
                "work_capacity": "full",
                "health": "healthy",
                "insured": True,
                "valid_from": "2019-01-01",
            }
            for h in homes
        ]
    )


def income(homes: Iterable[str] = tuple(HOMES), monthly: int = 300) -> pd.DataFrame:
    months = pd.period_range("2019-01", "2022-12", freq="M").astype(str)
    return pd.DataFrame(
        [{"household_id": h, "month": m, "source": "wage", "amount": monthly} for h in homes for m in months]
    )


def county(**tables: pd.DataFrame) -> County:
    base = {"households": households(), "members": members(), "income": income()}
    return from_frames(base | tables)


def known(day: str, **tables: pd.DataFrame) -> KnownCounty:
    return known_county(county(**tables), day)


def procedure(*rows: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["household_id", "date", "step"])


def visits(*rows: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["household_id", "date", "outcome"])


def register(*rows: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["household_id", "date", "event"]).assign(
        category="marginal", causes="illness"
    )


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def write(folder: Path, tables: dict[str, pd.DataFrame], about: str = "") -> Path:
    """Write tables as a county's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in tables.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    if about:
        (folder / "about.yaml").write_text(about, encoding="utf-8")
    return folder
