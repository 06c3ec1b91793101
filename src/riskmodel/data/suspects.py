"""Single amounts that look wrong and months that seem forgotten: kept, counted and listed for the office."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.data.county import County
from riskmodel.io import write_csv

SUSPECTS_FILE = "suspects.csv"
COLUMNS = ["table", "household_id", "month", "kind", "amount", "usual", "reason"]
# So many times the usual amount: ten times and a year's total in a month lie above, good months below.
MANY_TIMES = 6.0
# So small a part of it: 万元 for yuan is a ten-thousandth; a month with hardly any wage is common.
SMALL_PART = 0.01
# Of two totals alone: a year out of work leaves more than this part of the other.
TINY_PART = 0.001
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
_TOTALS = """
    WITH final AS (
        SELECT * FROM {table} WHERE month_from < month_to QUALIFY row_id IS NULL
        OR row_number() OVER (PARTITION BY row_id ORDER BY known_on DESC) = 1),
    totals AS (
        SELECT household_id, {kind} AS kind, month_to - month_from AS span, month_to AS month,
            sum(amount)::DOUBLE AS amount
        FROM final GROUP BY household_id, {kind}, month_from, month_to),
    usual AS (
        SELECT household_id, kind, span, median(amount) AS usual, max(amount) AS most, count(*) AS n
        FROM totals GROUP BY ALL HAVING count(*) > 1)
    SELECT household_id, month, kind, amount, if(n >= {years}, usual, most) AS usual
    FROM totals JOIN usual USING (household_id, kind, span)
    WHERE (n >= {years} AND usual > 0
        AND ((amount >= {many} * usual AND kind NOT IN ({bills})) OR amount <= {small} * usual))
    OR (n < {years} AND amount > 0 AND amount <= {tiny} * most) ORDER BY ALL"""
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


def find_suspects(county: County) -> pd.DataFrame:
    """List the amounts that look wrong, and the months that seem to have been forgotten."""
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
            "tiny": TINY_PART,
            "bills": ", ".join(f"'{kind}'" for kind in BILLS),
        }
        parts.append(_find_rows(con, _AMOUNTS.format(**places), table, "far from usual"))
        parts.append(_find_rows(con, _TOTALS.format(**places), table, "far from usual"))
        if days > 0:
            parts.append(
                _find_rows(con, _LATE.format(table=table, kind=kind, days=days), table, "later than promised")
            )
    gaps = _find_rows(con, _GAPS, "income", "month missing")
    parts += [gaps, gaps.assign(table="spending")] if county.has("spending") else [gaps]
    return pd.concat(parts, ignore_index=True)[COLUMNS]


def _find_rows(con: Any, sql: str, table: str, reason: str) -> pd.DataFrame:
    rows = con.execute(sql).df()
    month = rows["month"].astype("int64")
    text = (month // 12).astype(str) + "-" + (month % 12 + 1).astype(str).str.zfill(2)
    return rows.assign(month=text.astype(object), table=table, reason=reason)


def count_suspects(suspects: pd.DataFrame) -> dict[str, int]:
    """Count suspects by reason; a forgotten month once."""
    once = suspects[~((suspects["reason"] == "month missing") & (suspects["table"] != "income"))]
    return {str(k): int(v) for k, v in once["reason"].value_counts().sort_index().items()}


def write_suspects(suspects: pd.DataFrame, folder: str | Path) -> Path:
    """Write ``suspects.csv`` (UTF-8 with BOM, for Excel) into a folder."""
    return write_csv(suspects, Path(folder) / SUSPECTS_FILE)
