"""What of a household's records is late or in doubt, and what that does to its verdict, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from riskmodel.i18n import Language, fill, section
from riskmodel.rules.evaluate import RECORDS_INCOMPLETE


def describe_records(row: Mapping[Any, Any], lang: Language) -> list[str]:
    """Say how far a household's records are behind, what its income could be, and what is in doubt.

    Parameters
    ----------
    row : mapping
        A row of `riskmodel.rules.evaluate_rules` or of scores; what it lacks is not told.
    lang : str
        ``zh`` or ``en``.

    Returns
    -------
    list of str
        Sentences without a full stop; empty where all is on record and nothing is in doubt.
    """
    say = section("rules.records", lang)
    lag, low, high = (_number(row, name) for name in ("lag_months", "pcni_low", "pcni_high"))
    out = []
    if lag:
        out.append(fill(say["lag"], months=int(lag)))
    if low is not None and high is not None and low < high:
        out.append(say["bounds"].format(low=low, high=high))
    if _flag(row, "verdict_depends"):
        out.append(say["depends"])
    if doubts := name_reasons(row.get("doubts"), lang):
        out.append(say["doubts"].format(listed=say["and"].join(doubts)))
    if RECORDS_INCOMPLETE in str(row.get("unknown", "")).split(";"):
        out.append(say["incomplete"])
    return out


def name_reasons(codes: object, lang: Language) -> list[str]:
    """Return in words why incomes are unknown or in doubt; a word of the office's own stands as it is.

    Parameters
    ----------
    codes
        ``income_reason`` or ``doubts``: words joined with ``;``, or nothing.
    lang : str
        ``zh`` or ``en``.

    Returns
    -------
    list of str
        One text a word.
    """
    if not codes or not isinstance(codes, str):
        return []
    words = {**section("rules.reasons", lang), **section("rules.doubts", lang)}
    parts = codes.split(";")
    return [words.get(part, part) for part in parts if part]


def _number(row: Mapping[Any, Any], name: str) -> float | None:
    value = row.get(name)
    return None if value is None or pd.isna(value) else float(value)


def _flag(row: Mapping[Any, Any], name: str) -> bool:
    value = row.get(name)
    return value is not None and not pd.isna(value) and bool(value)
