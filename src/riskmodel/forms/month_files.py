"""What forms take of a month: its rules, whom it plans to visit, what was worked out; no score."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from riskmodel.errors import InputMissing
from riskmodel.i18n import text
from riskmodel.io import read_table

DEFAULT_RULES = "national-2021"


@dataclass(frozen=True)
class OfMonth:
    """What forms take of a month.

    Attributes
    ----------
    ruleset
        Id of the rule set it was judged by.
    params
        Overrides of its parameters.
    planned
        Households whose visit it plans; None where forms are of no month.
    processing
        What was worked out by machine, in Chinese, for the page of first use.
    """

    ruleset: str = DEFAULT_RULES
    params: Mapping[str, Any] = field(default_factory=dict)
    planned: tuple[str, ...] | None = None
    processing: str = ""


def read_month(folder: Path, ruleset: str | None = None) -> OfMonth:
    """Read what forms take of a month.

    Parameters
    ----------
    folder
        Of the month.
    ruleset
        Another rule set than the month's; then its parameters are not taken over.

    Raises
    ------
    InputMissing
        If the folder is no month.
    """
    made, listed = folder / "made_with.json", folder / "worklist.parquet"
    if not made.is_file() or not listed.is_file():
        raise InputMissing(
            f"{folder}: no month of `riskmodel month` ({made.name}, {listed.name} are missing)"
        )
    card = json.loads(made.read_text(encoding="utf-8"))
    rows = read_table(listed)
    planned = tuple(rows.loc[rows["planned"].eq(True), "household_id"].astype(str))
    made_by = card["ruleset"]["id"]  # whole declarations stand there
    own = ruleset is None or ruleset == made_by
    words = {"ruleset": made_by, "features": card["feature_set"]["id"], "n": card["horizon_months"]}
    processing = text("forms.processing", "zh", **words)
    return OfMonth(ruleset or made_by, dict(card["params"] or {}) if own else {}, planned, processing)
