"""A county of frames in memory: read as a file is, row by row and cell by cell.

Most frames are made by programs and keep to the contract already. Whether they do is asked first, which
costs a fraction of a reading; only where anything could be kept out, counted once or not be read are the
frames read as files are. Both ways come to the same county.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from riskmodel.data.conflicts import HOMES, MEMBER_STATE
from riskmodel.data.county import County, county_of_frames, local_times
from riskmodel.data.lineage import county_lineage
from riskmodel.data.plausibility import MONTHS_AHEAD, RULES, last_month_of_records
from riskmodel.data.read import read_sources
from riskmodel.data.rejected import CELL_COLUMNS, COLUMNS
from riskmodel.data.schema import (
    CODE_COLUMN,
    SPAN_TABLES,
    About,
    Column,
    canonical_schema,
    codes,
    contract,
    header_words,
    month_ordinal,
    month_text,
    normal_header,
)
from riskmodel.data.sources import FRAME, Source
from riskmodel.data.values import FIRST_YEAR, LAST_YEAR
from riskmodel.data.verification import column_violation

_TOO_LARGE = 1e13  # yuan: DECIMAL(18,4) holds no more than ten times that
_DAY, _MONTH = r"\d{4}-\d{2}-\d{2}", r"\d{4}-(0[1-9]|1[0-2])(-\d{2})?"
# Ordinals of months that there can be; a larger whole number is a date written without signs.
_ORDINALS = (FIRST_YEAR * 12, LAST_YEAR * 12 + 11)
# What a text must not begin or end with to be left as it is: a space, or what could be taken for a formula.
_TOUCHED = r"^[=+@\-\s\u3000\xa0\x0b]|[\s\u3000\xa0\x0b]$|^$"


def from_frames(frames: Mapping[str, pd.DataFrame], about: About | None = None) -> County:
    """Build a county from frames in memory; they are read and checked as files are.

    Parameters
    ----------
    frames
        Table name to a frame with contract columns; months as ``YYYY-MM`` text or ordinals, dates as
        anything that files may hold, ``recorded_on`` optional. Where a required table is wanting (a part of a
        county, for one calculation) nothing is checked.
    about
        What ``about.yaml`` would say; by default nothing.

    Returns
    -------
    County
        On a connection of its own; rows that cannot be used stand in ``rejected``, as from files.

    Raises
    ------
    InputRefused
        If a frame lacks a required column, or holds personal data.

    Examples
    --------
    >>> from riskmodel.data.schema import month_ordinal
    >>> county = from_frames({"income": pd.DataFrame(
    ...     {"household_id": ["h1"], "month": ["2021-05"], "source": ["wage"], "amount": [900]})})
    >>> int(county.frame("income").month_to[0]) == month_ordinal(2021, 5)
    True
    """
    about = about or About()
    if not set(contract().required) <= set(frames):
        return county_of_frames(frames, about)
    county = plain_county(frames, about)
    return _read(frames, about) if county is None else county


def plain_county(frames: Mapping[str, pd.DataFrame], about: About) -> County | None:
    """Return a county of frames of which reading would keep every row and cell as it is; None of others."""
    if not all(_plain_cells(name, frame) for name, frame in frames.items()):
        return None
    county = county_of_frames(frames, about)
    if not _sound(county, frames):
        return None
    return replace(
        county,
        rejected=pd.DataFrame(columns=COLUMNS),
        cells=pd.DataFrame(columns=CELL_COLUMNS),
        say=lambda: _read(frames, about).notes,
    )


def _read(frames: Mapping[str, pd.DataFrame], about: About) -> County:
    """Read frames as files are read."""
    sources = [
        Source(name, Path(name), FRAME, _arrow(name, frames[name], about.time_zone))
        for name in contract().tables
        if name in frames
    ]
    return read_sources(sources, about, []).county


def _arrow(name: str, frame: pd.DataFrame, zone: str) -> pa.Table:
    """Return a frame as a table of a file: months as text, cells of mixed types as text."""
    columns, out = contract().tables[name].columns, {}
    words = header_words(name)
    for header in frame.columns:
        values = frame[header]
        column = columns.get(words.get(normal_header(str(header)), ""))
        if column is not None and column.type == "month" and pd.api.types.is_numeric_dtype(values):
            values = values.map(_month_word).astype(object)
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            values = local_times(values, zone)
        try:
            out[str(header)] = pa.Array.from_pandas(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
            texts = [None if pd.isna(v) else str(v) for v in values]
            out[str(header)] = pa.array(texts, pa.string())
        if pa.types.is_dictionary(out[str(header)].type) or pa.types.is_large_string(out[str(header)].type):
            out[str(header)] = out[str(header)].cast(pa.string())
    return pa.table(out)


def _month_word(value: Any) -> Any:
    if pd.isna(value):
        return None
    number = int(value)
    return month_text(number) if _ORDINALS[0] <= number <= _ORDINALS[1] else str(number)


# ------------------------------------------------------------------ whether anything is to be read
def _plain_cells(name: str, frame: pd.DataFrame) -> bool:
    """Say whether every cell of a frame is what the contract asks for, in the form that programs write."""
    spec = contract().tables[name]
    known = {**spec.columns, "recorded_on": Column(zh="", type="date")}
    words = header_words(name)
    if not {c for c, column in spec.columns.items() if column.required} <= set(frame.columns):
        return False
    if name in SPAN_TABLES and "month" not in frame and not {"month_from", "month_to"} <= set(frame.columns):
        return False
    for header in frame.columns:
        if header not in known:
            if normal_header(str(header)) in words:
                return False  # a Chinese header
            continue
        if not _plain_column(name, str(header), known[str(header)], frame[header]):
            return False
    return True


def _plain_column(table: str, name: str, column: Column, values: pd.Series) -> bool:
    kind, given = column.type, values.dropna()
    if given.empty:
        return True
    if kind in ("amount", "number", "year", "grade"):
        return _plain_numbers(kind, given)
    if kind in ("date", "month"):
        return _plain_dates(kind, given)
    distinct = given.unique()
    if kind == "bool":
        return all(isinstance(v, bool | np.bool_) for v in distinct)
    if not all(isinstance(v, str) for v in distinct):
        return False
    if kind in ("code", "codes"):
        parts = {part for v in distinct for part in (v.split(";") if kind == "codes" else [v])}
        return parts <= codes(table, name).keys()
    return not pd.Series(distinct, dtype="str").str.contains(_TOUCHED).any()


def _plain_numbers(kind: str, given: pd.Series) -> bool:
    if not pd.api.types.is_numeric_dtype(given) or pd.api.types.is_bool_dtype(given):
        return False
    numbers = given.to_numpy(float)
    if kind in ("amount", "number"):
        # Whether one is negative is asked of the rows.
        return bool((np.isfinite(numbers) & (np.abs(numbers) < _TOO_LARGE)).all())
    low, high = (FIRST_YEAR, LAST_YEAR) if kind == "year" else (0, 4)
    return bool(((numbers >= low) & (numbers <= high) & (numbers == np.floor(numbers))).all())


def _plain_dates(kind: str, given: pd.Series) -> bool:
    if pd.api.types.is_datetime64_any_dtype(given):
        return given.dt.tz is None and bool(given.dt.year.between(FIRST_YEAR, LAST_YEAR).all())
    if kind == "month" and pd.api.types.is_integer_dtype(given):
        return bool(given.between(*_ORDINALS).all())
    return _plain_days(given.unique(), _DAY if kind == "date" else _MONTH)


def _plain_days(distinct: Any, pattern: str) -> bool:
    """Say whether all are dates, or text in the one form that every reader takes alike."""
    texts = [v for v in distinct if isinstance(v, str)]
    others = [v for v in distinct if not isinstance(v, str)]
    if any(getattr(v, "tzinfo", None) is not None or not hasattr(v, "year") for v in others):
        return False
    if not all(FIRST_YEAR <= v.year <= LAST_YEAR for v in others):
        return False
    written = pd.Series(texts, dtype="str")
    if len(written) and not written.str.fullmatch(pattern).all():
        return False
    days = pd.to_datetime(written, format="%Y-%m-%d" if pattern == _DAY else "ISO8601", errors="coerce")
    return bool(days.dt.year.between(FIRST_YEAR, LAST_YEAR).all())


def _sound(county: County, frames: Mapping[str, pd.DataFrame]) -> bool:
    """Say whether no row of a county would be kept out, counted once or wait, were it read from files."""
    con = county.con.con
    for name in frames:
        suspects = " + ".join(_suspects(county, name))
        if con.execute(f'SELECT {suspects} FROM "{name}"').fetchall()[0][0]:
            return False
    return not _beyond(county)


def _suspects(county: County, name: str) -> list[str]:
    """Return SQL counts of a table's rows that reading would look at twice."""
    schema, spec = canonical_schema(name), contract().tables[name]
    out = [f"count(*) FILTER ({' OR '.join(f'({w})' for w in _wrong(name)) or 'false'})"]
    home = next((c for c in HOMES if c in schema), None)
    if home is not None and HOMES[home] != name:
        if not county.has(HOMES[home]):
            return ["1"]
        nobody = f'"{home}" IS NOT NULL AND "{home}" NOT IN (SELECT "{home}" FROM "{HOMES[home]}")'
        out.append(f"count(*) FILTER ({nobody})")
    every = ", ".join(f'"{c}"' for c in schema)
    # Equal hashes need not be equal rows; then reading finds nothing and comes to the same.
    out.append(f"count(*) - count(DISTINCT hash({every}))")
    if spec.key:
        key = ", ".join(f'"{c}"' for c in (*spec.key, "known_on"))
        out.append(f"count(*) - count(DISTINCT hash({key}))")
    elif "row_id" in schema:
        out.append("count(row_id) - count(DISTINCT hash(row_id, known_on)) FILTER (row_id IS NOT NULL)")
    if name in SPAN_TABLES:
        total = f'household_id, "{CODE_COLUMN[name]}", month_from, month_to, known_on'
        several = "FILTER (month_from < month_to)"
        out.append(f"count(*) {several} - count(DISTINCT hash({total})) {several}")
    return [*out, _OVERLAPS] if name == "members" else out


def _wrong(name: str) -> list[str]:
    """Return SQL conditions of rows that are wrong by themselves."""
    schema = canonical_schema(name)
    wrong = [column_violation(name, c) for c in schema]
    wrong += [rule.broken for rule in RULES if name in rule.tables and not rule.kept]
    if "valid_to" in schema:
        wrong.append("valid_to < valid_from")
    if {"valid_to", "birth_month"} <= set(schema):
        wrong.append("year(valid_to) * 12 + month(valid_to) - 1 < birth_month")
    if name in SPAN_TABLES:
        wrong.append("month_from > month_to")
    if name == "income":
        wrong.append("amount < 0 AND source <> 'business_net'")
    return [w for w in wrong if w != "false"]


# Versions of one member that contradict one another as `riskmodel.data.conflicts` has it: both valid on a day
# and both standing on a day (a correction takes one away), other than by one replacing the other.
_STATE = ", ".join(MEMBER_STATE)
_STAYS = f"""(SELECT *, coalesce(valid_from, DATE '0001-01-01') AS since,
        coalesce(valid_to, DATE '9999-12-31') AS upto, hash({_STATE}) AS state,
        coalesce(lead(known_on) OVER (PARTITION BY member_id, valid_from ORDER BY known_on),
            DATE '9999-12-31') AS until
    FROM members WHERE member_id IN (SELECT member_id FROM members GROUP BY 1 HAVING count(*) > 1))"""
_OVERLAPS = f"""(SELECT count(*) FROM {_STAYS} a JOIN {_STAYS} b
    ON a.member_id = b.member_id AND a.since < b.since AND a.upto > b.since AND b.upto > b.since
        AND a.known_on < b.until AND b.known_on < a.until
    WHERE NOT (a.household_id = b.household_id AND a.valid_to IS NULL AND a.state <> b.state))"""


def _beyond(county: County) -> bool:
    """Say whether a month lies so far after the records that it would be kept out."""
    about, con = county.about, county.con.con
    months = {"income": "month_to", "spending": "month_to", "medical": "month"}
    last = " UNION ALL ".join(
        f"SELECT max({month}) AS last, max({month} - (year(known_on) * 12 + month(known_on) - 1)) AS ahead "
        f'FROM "{name}"'
        for name, month in months.items()
        if county.has(name)
    )
    latest, ahead = con.execute(f"SELECT max(last), max(ahead) FROM ({last})").fetchall()[0]
    if latest is None:
        return False
    if about.data_through is not None:
        return bool(latest > month_ordinal(about.data_through.year, about.data_through.month) + MONTHS_AHEAD)
    ever = dt.date.max
    through = last_month_of_records(
        county.con, county_lineage(county, ever, ever), as_of=ever, known_by=ever,
        snapshot_on=about.snapshot_on,
    )  # fmt: skip
    return through is not None and bool(latest > through + MONTHS_AHEAD or ahead > MONTHS_AHEAD)
