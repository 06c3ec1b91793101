"""The list of households inside the report: rows, words and monthly histories as JSON for its script."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import ibis
import pandas as pd

from riskmodel import rules
from riskmodel.data import County, month_text
from riskmodel.errors import InputRefused
from riskmodel.households import DateLike, Moment, as_moments, known_rows
from riskmodel.i18n import pair
from riskmodel.presentation.page import embedded
from riskmodel.presentation.report_input import ReportInput

COLUMNS = (
    "id",
    "rank",
    "household_id",
    "township",
    "village",
    "probability",
    "low",
    "high",
    "flagged",
    "unknown",
    "rule_category",
    "rule_conditions",
    "pcni",
    "line",
    "persons",
    "planned",
    "foretold",
)
NEEDED = ("household_id", "township", "village", "probability", "rule_category", "pcni", "line", "flagged")
OPTIONAL = ("probability_low", "probability_high", "rule_conditions", "persons", "planned", "in_cohort")
HEADS = (
    "rank",
    "household_id",
    "township",
    "village",
    "rule_category",
    "pcni",
    "line",
    "probability",
    "reason",
)
TEXT_HEADS = ("household_id", "township", "village", "rule_category", "reason")
REASONS = 3


def list_data(given: ReportInput, book: Mapping[str, Any]) -> str | None:
    """Return the page's data, or None where there is no list."""
    if not given.scores:
        return None
    frames = {lang: _ordered(frame) for lang, frame in given.scores.items()}
    first = next(iter(frames.values()))
    if any(list(f["household_id"]) != list(first["household_id"]) for f in frames.values()):
        raise InputRefused("the lists of the two languages hold different households; score them together")
    categories, conditions = _rule_words(first, book)
    shown = [c for c in (*NEEDED, *OPTIONAL) if c in first]
    return embedded(
        {
            "columns": COLUMNS,
            "rows": [_row(i, row, conditions) for i, row in enumerate(first[shown].to_dict("records"))],
            "reasons": {lang: _reasons(frame) for lang, frame in frames.items()},
            "plans": {lang: _plans(frame) for lang, frame in frames.items()},
            "townships": sorted({str(t) for t in first["township"]}),
            "categories": categories,
            "conditions": conditions,
            "histories": _histories(given.histories, list(first["household_id"])),
            "words": book["list"],
        }
    )


def _ordered(frame: pd.DataFrame) -> pd.DataFrame:
    missing = [c for c in NEEDED if c not in frame]
    if missing:
        raise InputRefused(f"the list lacks the columns {missing}; write it with riskmodel score")
    if frame["household_id"].duplicated().any():
        raise InputRefused("the list holds a household twice; give one as-of date")
    listed = ["position"] if "position" in frame else []
    return frame.sort_values(
        [*listed, "probability", "household_id"],
        ascending=[*(True for _ in listed), False, True],
        na_position="last",
        ignore_index=True,
    )


def _row(i: int, row: Mapping[Any, Any], words: Mapping[str, Any]) -> list[Any]:
    conditions = row.get("rule_conditions")
    unknown = not bool(row["flagged"]) and (row["rule_category"] == "unknown" or _number(row["pcni"]) is None)
    persons = _number(row.get("persons"))
    return [
        i,
        i + 1,
        str(row["household_id"]),
        str(row["township"]),
        str(row["village"]),
        _number(row["probability"], 5),
        _number(row.get("probability_low"), 5),
        _number(row.get("probability_high"), 5),
        bool(row["flagged"]),
        unknown,
        str(row["rule_category"]),
        _held(conditions, words),
        _number(row["pcni"], 2),
        _number(row["line"], 2),
        None if persons is None else int(persons),
        row.get("planned") is True,
        row.get("in_cohort", True) is not False,
    ]


def _held(conditions: Any, words: Mapping[str, Any]) -> list[str]:
    """Return the conditions to be shown; what an elimination needs is no reason for a verdict."""
    ids = conditions.split(";") if isinstance(conditions, str) else []
    return [i for i in ids if i and words.get(i, True) is not None]


def _number(value: Any, digits: int = 0) -> Any:
    if value is None or value is pd.NA or value != value:
        return None
    return round(float(value), digits) if math.isfinite(float(value)) else "inf"


def _reasons(frame: pd.DataFrame) -> list[list[list[Any]]]:
    out = []
    numbered = [k for k in range(1, REASONS + 1) if f"reason_{k}" in frame]
    parts = [f"{part}_{k}" for k in numbered for part in ("cause", "contribution", "reason")]
    for row in frame[[c for c in parts if c in frame]].to_dict("records"):
        reasons = [
            (row.get(f"cause_{k}"), row.get(f"contribution_{k}"), row[f"reason_{k}"]) for k in numbered
        ]
        out.append(
            [[c, _number(size, 4), text] for c, size, text in reasons if isinstance(text, str) and text]
        )
    return out


def _plans(frame: pd.DataFrame) -> list[str | None]:
    if "plan" not in frame:
        return []
    return [text if isinstance(text, str) and text else None for text in frame["plan"]]


def _rule_words(
    frame: pd.DataFrame, book: Mapping[str, Any]
) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str] | None]]:
    """Return what the list's rule sets call their categories and conditions; None for those of a review."""
    categories = {"none": dict(book["list"]["none"]), "unknown": dict(book["list"]["unknown"])}
    conditions: dict[str, dict[str, str] | None] = {}
    names = set(frame["ruleset"].dropna()) if "ruleset" in frame else set()
    for name in sorted(names & set(rules.available_rule_sets())):
        ruleset = rules.load_rules(name)
        categories |= {c.id: pair(c) for c in ruleset.categories}
        conditions |= {i: pair(c) if c.applies is None else None for i, c in ruleset.conditions.items()}
    return categories, conditions


def _histories(frame: pd.DataFrame | None, ids: list[Any]) -> dict[str, Any]:
    if frame is None:
        return {}
    place = {household: i for i, household in enumerate(ids)}
    out = {}
    for household, rows in frame.sort_values(["household_id", "month"]).groupby("household_id", sort=False):
        if household in place:
            out[str(place[household])] = [
                [str(m) for m in rows["month"]],
                [_number(v, 2) for v in rows["income"]],
                [_number(v, 2) for v in rows["spending"]],
            ]
    return out


MONTHS = 36  # three years: the period, the one before, and how it came there


def histories(county: County, as_of: DateLike, households: Sequence[str]) -> pd.DataFrame:
    """Return monthly income and spending of some households up to the last whole month.

    Months without a row are missing, not zero; annual totals are left out, for a total is never spread
    over months.

    Parameters
    ----------
    county : County
        The county's tables.
    as_of : date
        Rows recorded later are not seen.
    households : sequence of str
        Ids; a page holds a few thousand of them at ease.

    Returns
    -------
    DataFrame
        ``household_id, month`` (``YYYY-MM``)``, income, spending`` (yuan, NaN where there is none), sorted.
    """
    when = as_moments(as_of)
    both = [_monthly(county, name, when, list(households)) for name in ("income", "spending")]
    out = both[0].merge(both[1], on=["household_id", "month"], how="outer")
    out = out.sort_values(["household_id", "month"], ignore_index=True)
    return out.assign(month=out["month"].map(month_text))[["household_id", "month", "income", "spending"]]


def _monthly(county: County, name: str, when: tuple[Moment, ...], households: list[str]) -> pd.DataFrame:
    t = known_rows(county, name, when)
    t = t.filter(
        t.month_from == t.month_to,
        t.month_to <= t.last_month,
        t.month_to > t.last_month - MONTHS,
        t.household_id.isin(households),
    )
    sums = t.group_by("household_id", month=ibis._.month_to).agg(amount=ibis._.amount.sum().cast("float64"))
    frame = county.con.to_pyarrow(sums).to_pandas().rename(columns={"amount": name})
    # pandas 3.1 cannot merge two empty frames on text columns backed by Arrow.
    return frame.astype({"household_id": object})
