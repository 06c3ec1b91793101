"""States of members: the worst of several illnesses, and what a blank cell says beside others."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

# The worst of several illnesses in one cell.
_HEALTH_ORDER = ("major_illness", "chronic", "healthy")
_BOTH_STATED = 0.1  # a sheet where more rows state schooling and education does not want one of the two


def worst_health(codes: Sequence[str] | None) -> str | None:
    """Return the worst of several illnesses."""
    return next((code for code in _HEALTH_ORDER if code in (codes or ())), None)


def take_blank_grades(rows: pd.DataFrame) -> None:
    """Read a blank grade as none, where the sheet's own column of health names everybody who is disabled."""
    for _, part in rows.groupby("order_"):
        if "health_raw" not in part:
            return
        says = part["health_raw"].map(lambda text: "残" in str(text))
        graded = part["disability_grade"].notna()
        if graded.any() and says[graded].mean() >= 0.9:
            blank = part.index[~graded & ~says & part["health_raw"].notna()]
            rows.loc[blank, "disability_grade"] = 0


def take_blank_schooling(rows: pd.DataFrame) -> None:
    """Read a blank state of schooling as out of school where the level of education is filled in.

    The national system's sheet wants exactly one of the two; both blank say nothing.
    """
    for _, part in rows.groupby("order_"):
        both = part["schooling"].notna() & part["education"].notna()
        if part["schooling"].notna().any() and both.mean() < _BOTH_STATED:
            blank = part["schooling"].isna() & part["education"].notna() & ~has_fault(part, "schooling")
            rows.loc[part.index[blank], "schooling"] = "none"


def has_fault(frame: pd.DataFrame, column: str, fault: str = "") -> pd.Series:
    """Say of each row whether a column has a fault: the one named, or any."""
    wanted = f"{column}:{fault}"
    return frame["faults"].map(
        lambda text: any(f == wanted if fault else f.startswith(wanted) for f in str(text).split(";"))
    )
