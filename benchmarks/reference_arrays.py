"""232 monthly features by prefix sums in numpy, written by hand: a window's sum is a difference of two.

This is what a careful analyst would write for a single job: amounts in fen in a dense array ``[code, month,
household]``, running sums beside it, late rows added when their date comes and only what they touch summed
anew. It keeps to the same rules (a row counts from the day it is known; a window that is not wholly on record
has no value; nor has one of income that reaches into twelve months without a row), for counties whose records
begin in one month and are whole from then on, and shares no code with the package.
"""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

CODES = {
    "income": ("wage", "business", "property", "transfer"),
    "spending": ("production", "medical", "education", "living", "housing", "other"),
}
TOGETHER = {
    "income": {"total": ("wage", "business", "property", "transfer")},
    "spending": {"total": CODES["spending"], "rigid": ("medical", "education", "housing")},
}
OVER = {
    "income": ("total", "wage", "business", "property", "transfer"),
    "spending": ("total", "rigid", "production", "medical", "education", "living"),
}
WINDOWS = {
    "sum": (3, 6, 12, 24), "mean": (6, 12), "std": (12, 24), "cv": (12, 24), "slope": (6, 12, 24),
    "max": (12, 24), "min": (6, 12), "months_with": (6, 12, 24), "recency": (24,),
}  # fmt: skip
REACH = 24
NEEDS = {"std": "q", "cv": "q", "slope": "w", "months_with": "p", "recency": "r"}


class Column(NamedTuple):
    """One feature."""

    name: str
    table: str
    over: str | None
    aggregate: str
    window: int


def columns() -> list[Column]:
    """Return what is computed, in order."""
    out = [
        Column(f"{table}_{over}_{aggregate}_{w}", table, over, aggregate, w)
        for table, codes in OVER.items()
        for aggregate, windows in WINDOWS.items()
        for over in codes
        for w in windows
    ]
    return [*out, Column("income_kinds_12", "income", None, "nunique", 12)]


def matrix(con: Any, days: list[dt.date], first: int) -> tuple[np.ndarray, np.ndarray]:
    """Return household numbers, and the features ``[feature, date × household]``.

    Parameters
    ----------
    con
        DuckDB with the tables.
    days
        Ends of months, ascending.
    first
        First month (year × 12 + month − 1) of the records, which are whole from then on.
    """
    ids = con.sql("SELECT DISTINCT household_id FROM households ORDER BY 1").to_arrow_table()["household_id"]
    lasts = [d.year * 12 + d.month - 1 for d in days]
    months, n = max(lasts) - first + 1, len(ids)
    rows = {table: _rows(con, table, first, months, n) for table in CODES}
    out = np.empty((len(columns()), len(days) * n))
    dense = {table: np.zeros((len(codes), months, n), np.int64) for table, codes in CODES.items()}
    seen = {table: np.zeros(a.shape, np.bool_) for table, a in dense.items()}
    series: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    before = -(2**31)
    for k, (day, last) in enumerate(zip(days, lasts, strict=True)):
        number = (day - dt.date(1970, 1, 1)).days
        for table, (place, fen, known) in rows.items():
            new = (known <= number) & (known > before)
            np.add.at(dense[table].reshape(-1), place[new], fen[new])
            seen[table].reshape(-1)[place[new]] = True
            _sum_up(series, table, dense[table], None if k == 0 else np.unique(place[new]))
        before = number
        stop = last - first + 1
        with_row = seen["income"].any(axis=0)
        counts = with_row.sum(axis=1)
        through = np.flatnonzero((counts > 0) & (counts * 10 >= n)).max(initial=-1)
        empty = [~with_row[max(stop - 12 * (y + 1), 0) : max(stop - 12 * y, 0)].any(axis=0) for y in range(2)]
        for j, c in enumerate(columns()):
            target, start = out[j, k * n : (k + 1) * n], stop - c.window
            if start < 0 or stop - 1 > through:
                target[:] = np.nan
                continue
            _window(series, dense, c, start, stop, target)
            if c.table == "income":
                for y in range(-(-c.window // 12)):
                    target[empty[y]] = np.nan
    return ids.to_numpy(zero_copy_only=False), out


def _rows(con: Any, table: str, first: int, months: int, n: int) -> tuple[np.ndarray, ...]:
    code = "source" if table == "income" else "category"
    order = " ".join(f"WHEN '{c}' THEN {i}" for i, c in enumerate(CODES[table]))
    answer = con.sql(f"""
        WITH h AS (SELECT household_id, row_number() OVER (ORDER BY household_id) - 1 AS number
                   FROM (SELECT DISTINCT household_id FROM households))
        SELECT ((CASE {code} {order} END * {months} + month_to - {first}) * {n} + number)::BIGINT AS place,
               (amount * 100)::BIGINT AS fen, (known_on - DATE '1970-01-01')::INTEGER AS known
        FROM {table} JOIN h USING (household_id)
        WHERE month_to >= {first} AND month_to < {first + months}""").to_arrow_table()
    return tuple(answer[name].to_numpy() for name in ("place", "fen", "known"))


def _sum_up(
    series: dict[tuple[str, str], dict[str, np.ndarray]],
    table: str,
    dense: np.ndarray,
    places: np.ndarray | None,
) -> None:
    """Make the running sums of a table, or make those of the households anew that rows have come for."""
    codes, (_, months, n) = CODES[table], dense.shape
    touched = {}
    if places is not None:
        of_code = np.searchsorted(places, np.arange(len(codes) + 1) * months * n)
        touched = {i: places[a:b] % n for i, (a, b) in enumerate(pairwise(of_code))}
    for over in OVER[table]:
        members = [codes.index(c) for c in TOGETHER[table].get(over, (over,))]
        if places is None:
            series[table, over] = _running(
                dense[members].sum(axis=0) if len(members) > 1 else dense[members[0]]
            )
            continue
        some = np.unique(np.concatenate([touched[i] for i in members]))
        if len(some):
            fresh = _running(dense[np.ix_(members, range(months), some)].sum(axis=0))
            for part, values in series[table, over].items():
                values[:, some] = fresh[part]


def _running(y: np.ndarray) -> dict[str, np.ndarray]:
    def summed(values: np.ndarray) -> np.ndarray:
        out = np.zeros((len(values) + 1, values.shape[1]), np.int64)
        for i, row in enumerate(values):
            np.add(out[i], row, out=out[i + 1])
        return out

    month, paid = np.arange(len(y), dtype=np.int64)[:, None], y > 0
    last = np.maximum.accumulate(np.where(paid, month.astype(np.int16), np.int16(-1000)), axis=0)
    return {"y": y, "s": summed(y), "q": summed(y * y), "w": summed(y * month), "p": summed(paid), "r": last}


def _window(
    series: dict[tuple[str, str], dict[str, np.ndarray]],
    dense: dict[str, np.ndarray],
    c: Column,
    start: int,
    stop: int,
    out: np.ndarray,
) -> None:
    w = c.window
    if c.over is None:
        parts = [series[c.table, code]["p"] for code in CODES[c.table]]
        out[:] = sum(((p[stop] - p[start]) > 0).astype(np.int8) for p in parts)
        return
    d = series[c.table, c.over]
    s = d["s"][stop] - d["s"][start]
    if c.aggregate in ("sum", "mean"):
        np.divide(s, 100.0, out=out)
        if c.aggregate == "mean":
            out /= w
    elif c.aggregate in ("std", "cv"):
        squares = (d["q"][stop] - d["q"][start]) * w - s * s
        np.sqrt(squares / 1e4 / (w * (w - 1)), out=out)
        if c.aggregate == "cv":
            mean = s / 100.0 / w
            out /= np.where(mean > 0, mean, np.nan)
    elif c.aggregate == "slope":
        age = s * (stop - 1) - (d["w"][stop] - d["w"][start])
        np.multiply((s * (w - 1) - age * 2) / 100.0, 6 / (w * (w * w - 1)), out=out)
    elif c.aggregate in ("max", "min"):
        y = d["y"][start:stop]
        np.divide(y.max(axis=0) if c.aggregate == "max" else y.min(axis=0), 100.0, out=out)
    elif c.aggregate == "months_with":
        out[:] = d["p"][stop] - d["p"][start]
    else:
        since = (stop - 1) - d["r"][stop - 1].astype(np.float64)
        out[:] = np.where(since < w, since, w)
