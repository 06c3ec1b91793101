"""Rows that are valid by themselves and still look wrong: kept, counted and listed for the office.

Nothing is mended or left out here: a doubtful amount may be true.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.data.county import County
from riskmodel.io.files import atomic

FILE_NAME = "suspects.csv"
COLUMNS = ["table", "household_id", "month", "kind", "amount", "usual", "reason"]
# So many times the usual amount: ten times and a year's total in a month lie above, good months below.
MANY_TIMES = 6.0
# So small a part of it: 万元 for yuan is a ten-thousandth; a month with hardly any wage is common.
SMALL_PART = 0.01
# "Usual" is the median of the same month over at least so many years: one slip does not move it far.
FEWEST_YEARS = 3
# A bill many times the usual one is what illness or a disaster looks like: no sign of a slip.
BILLS = ("medical", "housing", "disaster", "accident", "other")
_NAMES = {"income": "source", "spending": "category"}

_AMOUNTS = """
    WITH final AS (
        SELECT * FROM {table} QUALIFY row_id IS NULL
        OR row_number() OVER (PARTITION BY row_id ORDER BY known_on DESC) = 1),
    months AS (
        SELECT household_id, {kind} AS kind, month_to AS month, sum(amount)::DOUBLE AS amount
        FROM final WHERE month_from = month_to GROUP BY ALL),
    usual AS (
        SELECT household_id, kind, month % 12 AS season, median(amount) AS usual
        FROM months GROUP BY ALL HAVING count(*) >= {years})
    SELECT household_id, month, kind, amount, usual
    FROM months JOIN usual USING (household_id, kind) WHERE month % 12 = season AND usual > 0
    AND ((amount >= {many} * usual AND kind NOT IN ({bills})) OR amount <= {small} * usual) ORDER BY ALL"""
_LATE = """
    SELECT household_id, month_to AS month, {kind} AS kind, amount::DOUBLE AS amount, NULL::DOUBLE AS usual
    FROM {table} WHERE month_from = month_to AND (row_id IS NULL OR row_id NOT IN (
        SELECT row_id FROM {table} WHERE row_id IS NOT NULL GROUP BY 1 HAVING count(*) > 1))
    AND known_on > last_day(make_date(month_to // 12, month_to % 12 + 1, 1)) + {days} ORDER BY ALL"""
_GAPS = """
    WITH seen AS (SELECT DISTINCT household_id, month_to AS month FROM income WHERE month_from = month_to),
    stepped AS (
        SELECT household_id, month, lead(month) OVER (PARTITION BY household_id ORDER BY month) AS following
        FROM seen),
    holes AS (SELECT household_id, month, following FROM stepped WHERE following = month + 2),
    counted AS (
        SELECT household_id, count(*) AS months, max(month) - min(month) + 1 AS span FROM seen GROUP BY 1)
    SELECT household_id, month + 1 AS month, NULL::VARCHAR AS kind, NULL::DOUBLE AS amount,
        NULL::DOUBLE AS usual
    FROM holes JOIN counted USING (household_id) WHERE months >= 0.9 * span ORDER BY ALL"""


def suspects(county: County) -> pd.DataFrame:
    """List the monthly amounts that look wrong, and the months that seem to have been forgotten.

    Parameters
    ----------
    county : County

    Returns
    -------
    DataFrame
        ``table, household_id, month, kind, amount, usual, reason``. Reasons: ``far from usual`` (at least
        `MANY_TIMES`, but for `BILLS`, or at most `SMALL_PART`, of the median of the same month over the
        years), ``later than promised`` (than ``recording_delay_days``, where it is above zero), ``month
        missing`` (one month without any income between two with some, of a household that has some in
        nearly all).
    """
    con, days = county.con.con, county.about.recording_delay_days
    parts = []
    for table, kind in _NAMES.items():
        if not county.has(table):
            continue
        places = {
            "table": table,
            "kind": kind,
            "years": FEWEST_YEARS,
            "many": MANY_TIMES,
            "small": SMALL_PART,
            "bills": ", ".join(f"'{kind}'" for kind in BILLS),
        }
        parts.append(_found(con, _AMOUNTS.format(**places), table, "far from usual"))
        if days > 0:
            parts.append(
                _found(con, _LATE.format(table=table, kind=kind, days=days), table, "later than promised")
            )
    gaps = _found(con, _GAPS, "income", "month missing")
    parts += [gaps, gaps.assign(table="spending")] if county.has("spending") else [gaps]
    return pd.concat(parts, ignore_index=True)[COLUMNS]


def _found(con: Any, sql: str, table: str, reason: str) -> pd.DataFrame:
    rows = con.execute(sql).df()
    month = rows["month"].astype("int64")
    text = (month // 12).astype(str) + "-" + (month % 12 + 1).astype(str).str.zfill(2)
    return rows.assign(month=text.astype(object), table=table, reason=reason)


def count(found: pd.DataFrame) -> dict[str, int]:
    """Count suspects by reason; a forgotten month once.

    Parameters
    ----------
    found : DataFrame
        From `suspects`.

    Returns
    -------
    dict
    """
    once = found[~((found["reason"] == "month missing") & (found["table"] != "income"))]
    return {str(k): int(v) for k, v in once["reason"].value_counts().sort_index().items()}


def write_suspects(found: pd.DataFrame, folder: str | Path) -> Path:
    """Write ``suspects.csv`` (UTF-8 with BOM, for Excel) into a folder.

    Parameters
    ----------
    found : DataFrame
    folder : str or Path

    Returns
    -------
    Path
    """
    path = Path(folder) / FILE_NAME
    with atomic(path) as temporary:
        found.to_csv(temporary, index=False, encoding="utf-8-sig", lineterminator="\n")
    return path
