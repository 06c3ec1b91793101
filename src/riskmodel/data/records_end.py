"""Until which month a county's records are whole, where ``about.yaml`` does not say (``data_through``)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa

from riskmodel.data.links import Identity, first_month_from

LEAST_SHARE = 10  # a tenth of the households

_QUERY = """
    WITH valid AS (
        SELECT DISTINCT coalesce(o.owner, h.household_id) AS id
        FROM {households} h LEFT JOIN owners_ o ON o.number = h.household_id
        WHERE h.known_on <= $known_by
        AND (h.valid_from IS NULL OR h.valid_from <= $as_of OR h.valid_from = $snapshot_on)),
    held AS (
        SELECT * FROM {income} WHERE known_on <= $known_by QUALIFY row_id IS NULL
        OR row_number() OVER (PARTITION BY row_id ORDER BY known_on DESC) = 1),
    seen AS (
        SELECT coalesce(o.owner, r.household_id) AS id, r.month_to AS month
        FROM held r LEFT JOIN owners_ o ON o.number = r.household_id
        WHERE o.own_from IS NULL OR r.month_from >= o.own_from)
    SELECT month FROM seen SEMI JOIN valid USING (id) GROUP BY month
    HAVING count(DISTINCT id) * {share} >= (SELECT count(*) FROM valid) ORDER BY month DESC LIMIT 1"""


def last_month_of_records(
    con: Any,
    identity: Identity,
    *,
    as_of: dt.date,
    known_by: dt.date,
    snapshot_on: dt.date | None,
    households: str = "households",
    income: str = "income",
) -> int | None:
    """Return the last month in which a tenth of the households valid at as-of have an income row.

    Parameters
    ----------
    con
        The engine, with the canonical tables.
    identity
        Who is who at the moment; linked numbers are one household.
    as_of, known_by
        The day spoken of, and the day up to which rows may be seen.
    snapshot_on
        From ``about.yaml``: a state of that day is open to the past.
    households, income
        What the tables are called there.

    Returns
    -------
    int or None
        Month ordinal; a total counts in the last month of its span. None where no month has so many.

    References
    ----------
    Data contract, "Coverage", ``data_through``.
    """
    numbers = sorted({*identity.joined, *identity.split_on})
    own_from = {number: first_month_from(day) for number, day in identity.split_on.items()}
    owners = pa.table(
        {
            "number": pa.array(numbers, pa.string()),
            "owner": pa.array([identity.current(n) for n in numbers], pa.string()),
            "own_from": pa.array([own_from.get(n) for n in numbers], pa.int32()),
        }
    )
    engine = con.con
    engine.register("owners_", owners)
    try:
        sql = _QUERY.format(households=f'"{households}"', income=f'"{income}"', share=LEAST_SHARE)
        given = {"as_of": as_of, "known_by": known_by, "snapshot_on": snapshot_on}
        found = engine.execute(sql, given).fetchall()
    finally:
        engine.unregister("owners_")
    return int(found[0][0]) if found else None
