"""What is worth knowing of a county's data as a whole, beyond single bad rows.

Rows that are valid by themselves and still look wrong: kept, counted and listed for the office.

Nothing is mended or left out here: a doubtful amount may be true.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ibis
import pandas as pd

from riskmodel.data.county import County
from riskmodel.data.schema import codes, month_ordinal, month_text, own_date
from riskmodel.errors import InputRefused
from riskmodel.io import write_csv

_MOST_EXAMPLES = 20
_YEAR = 12
_TOLERANCE = 0.01  # contract: totals and months that differ by more than 1 % are a finding

# The income rows that hold in the end: of equal row_ids the one recorded last.
_FINAL_INCOME = (
    "SELECT * FROM income QUALIFY row_id IS NULL "
    "OR row_number() OVER (PARTITION BY row_id ORDER BY known_on DESC) = 1"
)
_TOTALS_AND_MONTHS = f"""
    WITH final AS ({_FINAL_INCOME}),
    totals AS (
        SELECT household_id, source, month_from, month_to, sum(amount) AS total
        FROM final WHERE month_from < month_to GROUP BY ALL),
    months AS (SELECT household_id, source, month_to AS month, amount FROM final WHERE month_from = month_to)
    SELECT household_id, source, month_from, month_to, total, sum(amount) AS months
    FROM totals JOIN months USING (household_id, source)
    WHERE month BETWEEN month_from AND month_to GROUP BY ALL ORDER BY ALL"""
_BUSINESS_TWICE = f"""
    WITH final AS ({_FINAL_INCOME})
    SELECT DISTINCT g.household_id FROM final g JOIN final n
    ON g.household_id = n.household_id AND g.source = 'business' AND n.source = 'business_net'
    AND g.month_from <= n.month_to AND n.month_from <= g.month_to ORDER BY 1"""
# Only what was known by a day: a row recorded later helps no verb that speaks of that day.
_COVERAGE = """
    WITH final AS (
        SELECT * FROM income WHERE known_on <= $by QUALIFY row_id IS NULL
        OR row_number() OVER (PARTITION BY row_id ORDER BY known_on DESC) = 1),
    state AS (
        SELECT household_id, registration FROM households WHERE known_on <= $by
        QUALIFY row_number() OVER (
            PARTITION BY household_id ORDER BY valid_from DESC NULLS LAST, known_on DESC) = 1),
    earning AS (SELECT DISTINCT household_id FROM final WHERE month_to > $start AND month_from <= $end)
    SELECT registration, count(*), count(earning.household_id)
    FROM state LEFT JOIN earning USING (household_id) GROUP BY 1 ORDER BY 1"""


def late_share(county: County, table: str) -> float | None:
    """Return the share of a table's rows recorded more than a month after the day they speak of."""
    t = county.table(table)
    own = own_date(table, {c: t[c] for c in t.columns})
    late = (t.known_on > own + ibis.interval(months=1)).mean()
    share = t.aggregate(share=late).to_pyarrow()["share"][0].as_py()
    return None if share is None else round(float(share), 6)


def rows_known_later(county: County) -> dict[str, dict[str, Any]]:
    """Count the rows that come to be known only after the day that the records are said to be whole by."""
    through = _data_through(county)
    if through is None:
        return {}
    by = county.known_through
    out = {}
    for name in county.tables:
        (rows, later, first, last) = _rows(
            county.con.con,
            "SELECT count(*), count(*) FILTER (known_on > $by), min(known_on) FILTER (known_on > $by), "
            f'max(known_on) FROM "{name}"',
            {"by": by},
        )[0]
        if later:
            days = {"first": first.isoformat(), "last": last.isoformat(), "by": by.isoformat()}
            out[name] = {"rows": rows, "later": later, **days}
    return out


def data_findings(county: County) -> dict[str, Any]:
    """Return what the data as a whole shows."""
    con = county.con.con
    compared = _rows(con, _TOTALS_AND_MONTHS)
    differ = [
        {
            "household_id": household,
            "source": source,
            "month_from": month_text(first),
            "month_to": month_text(last),
            "total": float(total),
            "months": float(months),
        }
        for household, source, first, last, total, months in compared
        if abs(float(total) - float(months)) > _TOLERANCE * abs(float(total))
    ]
    twice = [household for (household,) in _rows(con, _BUSINESS_TWICE)]
    first, last = _rows(con, "SELECT min(month_from), max(month_to) FROM income")[0]
    return {
        "data_through": _data_through(county),
        "income_months": [month_text(m) if m is not None else None for m in (first, last)],
        "income_coverage": _coverage(county, last),
        "known_later": rows_known_later(county),
        "totals_against_months": {
            "compared": len(compared),
            "differ": len(differ),
            "examples": differ[:_MOST_EXAMPLES],
        },
        "business_twice": {"households": len(twice), "examples": twice[:_MOST_EXAMPLES]},
        "valid_before_birth": _rows(
            con,
            "SELECT count(DISTINCT member_id) FROM members "
            "WHERE year(valid_from) * 12 + month(valid_from) - 1 < birth_month",
        )[0][0],
    }


def _rows(con: Any, sql: str, values: list[Any] | dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    return list(con.execute(sql, values or []).fetchall())


def _data_through(county: County) -> str | None:
    try:
        return county.data_through.isoformat()
    except InputRefused:
        return None


def _coverage(county: County, last: int | None) -> dict[str, dict[str, float]]:
    """Count the households with income in the 12 months that end with the last whole month."""
    through = _data_through(county)
    if through is None or last is None:
        return {}
    end = min(last, month_ordinal(int(through[:4]), int(through[5:7])))
    given = {"start": end - _YEAR, "end": end, "by": county.known_through}
    counts = _rows(county.con.con, _COVERAGE, given)
    found = {kind: (n, k) for kind, n, k in counts}
    return {
        kind: {
            "households": found[kind][0],
            "with_income": found[kind][1],
            "share": found[kind][1] / found[kind][0],
        }
        for kind in codes("households", "registration")
        if kind in found
    }


SUSPECTS_FILE = "suspects.csv"
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


def find_suspects(county: County) -> pd.DataFrame:
    """List the monthly amounts that look wrong, and the months that seem to have been forgotten."""
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
        parts.append(_find_rows(con, _AMOUNTS.format(**places), table, "far from usual"))
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
