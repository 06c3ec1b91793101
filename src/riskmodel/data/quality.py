"""What is worth knowing of a county's data as a whole, beyond single bad rows."""

from __future__ import annotations

from typing import Any

import ibis

from riskmodel.data.county import County
from riskmodel.data.known import own_date
from riskmodel.data.schema import codes, month_ordinal, month_text
from riskmodel.errors import InputRefused

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
    """Return the share of a table's rows recorded more than a month after the day they speak of.

    Parameters
    ----------
    county : County
    table : str

    Returns
    -------
    float or None
        None where no row speaks of a day.
    """
    t = county.table(table)
    own = own_date(table, {c: t[c] for c in t.columns})
    late = (t.known_on > own + ibis.interval(months=1)).mean()
    share = t.aggregate(share=late).to_pyarrow()["share"][0].as_py()
    return None if share is None else round(float(share), 6)


def known_later(county: County) -> dict[str, dict[str, Any]]:
    """Count the rows that come to be known only after the day that the records are said to be whole by.

    Parameters
    ----------
    county : County

    Returns
    -------
    dict
        Table to ``rows`` (all), ``later``, ``first``, ``last`` (days they become known) and ``by`` (the day,
        see `County.known_through`); only tables that have such rows.
    """
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


def findings(county: County) -> dict[str, Any]:
    """Return what the data as a whole shows.

    Parameters
    ----------
    county : County

    Returns
    -------
    dict
        ``data_through``, ``income_months``, ``income_coverage`` (by registration, over the 12 months up to
        data_through, as known by then), ``known_later`` (see there),
        ``totals_against_months``, ``business_twice``, ``valid_before_birth``.
    """
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
        "known_later": known_later(county),
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
