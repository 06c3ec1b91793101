"""Amounts that look wrong, kept, counted and listed for the office: single ones, and whole groups.

A single amount is held against its own household's usual one; months that seem forgotten and rows later than
promised stand beside. A group is a year, township or file in another unit: 万元 typed as 元 and the reverse,
×10, ×100. A household whose income falls to a hundredth may have lost its work; that the median of a township
does so from one year to the next, or lies a hundred times below that of its neighbours, is no income. So
groups are looked at by their median amount a month: households of one township and year, in months and in
totals apart, over all kinds of amounts together and kind by kind.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from riskmodel.data.county import County
from riskmodel.data.schema import CODE_COLUMN
from riskmodel.i18n import Language, text
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

# The last version of every row, of one slice of the households: a version may have moved to another of them.
_FINAL = """
    SELECT * FROM {table} WHERE row_id IS NULL AND hash(household_id) % {slices} = {slice}
    UNION ALL BY NAME
    SELECT * FROM (SELECT * FROM {table} WHERE row_id IS NOT NULL
        QUALIFY row_number() OVER (PARTITION BY row_id ORDER BY known_on DESC) = 1)
    WHERE hash(household_id) % {slices} = {slice}"""
# A median holds all its amounts: so many rows are looked at together (some 1.5 GiB).
_ROWS_AT_ONCE = 10_000_000
_ORDER = ["household_id", "month", "kind", "amount", "usual"]
_AMOUNTS = """
    WITH final AS ({final}),
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
    WITH final AS ({final}),
    totals AS (
        SELECT household_id, {kind} AS kind, month_to - month_from AS span, month_to AS month,
            sum(amount)::DOUBLE AS amount
        FROM final WHERE month_from < month_to GROUP BY household_id, {kind}, month_from, month_to),
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
    for table, kind in CODE_COLUMN.items():
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
        parts += [_find_in_slices(con, sql, places, "far from usual") for sql in (_AMOUNTS, _TOTALS)]
        if days > 0:
            parts.append(
                _find_rows(con, _LATE.format(table=table, kind=kind, days=days), table, "later than promised")
            )
    gaps = _find_rows(con, _GAPS, "income", "month missing")
    parts += [gaps, gaps.assign(table="spending")] if county.has("spending") else [gaps]
    return pd.concat(parts, ignore_index=True)[COLUMNS]


def _find_in_slices(con: Any, sql: str, places: dict[str, Any], reason: str) -> pd.DataFrame:
    """Ask about slices of the households one after the other, as many as keep few rows at once."""
    table = str(places["table"])
    rows = con.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    slices = -(-rows // _ROWS_AT_ONCE) or 1
    parts = []
    for one in range(slices):
        final = _FINAL.format(table=table, slices=slices, slice=one)
        parts.append(_find_rows(con, sql.format(**places, final=final), table, reason))
    whole = pd.concat(parts, ignore_index=True)
    return whole if slices == 1 else whole.sort_values(_ORDER, ignore_index=True)


def _find_rows(con: Any, sql: str, table: str, reason: str) -> pd.DataFrame:
    rows = con.execute(sql).df()
    month = rows["month"].astype("int64")
    shown = (month // 12).astype(str) + "-" + (month % 12 + 1).astype(str).str.zfill(2)
    return rows.assign(month=shown.astype(object), table=table, reason=reason)


def count_suspects(suspects: pd.DataFrame) -> dict[str, int]:
    """Count suspects by reason; a forgotten month once."""
    once = suspects[~((suspects["reason"] == "month missing") & (suspects["table"] != "income"))]
    return {str(k): int(v) for k, v in once["reason"].value_counts().sort_index().items()}


def write_suspects(suspects: pd.DataFrame, folder: str | Path) -> Path:
    """Write ``suspects.csv`` (UTF-8 with BOM, for Excel) into a folder."""
    return write_csv(suspects, Path(folder) / SUSPECTS_FILE)


LEVELS_FILE = "levels.csv"
LEVEL_COLUMNS = [
    "table", "basis", "township", "year", "kind", "households", "median", "usual", "factor", "against",
]  # fmt: skip
LEAST_HOUSEHOLDS = 5  # of a group, for its median to say anything
MANY_HOUSEHOLDS = 20
# Orders of magnitude off the usual: no real median moves so far in a year (far), or by any change of
# policy, crop or season (very far).
FAR, VERY_FAR = 0.75, 1.7
WHOLE_YEAR = 12
# Yuan a household and year between which the median of a rural county lies, generously.
PLAUSIBLE = (500.0, 3_000_000.0)
YUAN = (None, "yuan", "CNY", "元")  # other money has another range
EARNED = math.log10(30_000 / 12)  # yuan a month that a rural household earns, roughly
FILES_APART = 50.0  # so many times its income no county spends
ALL = "all"
COUNTY = ""


_RATES = """
    WITH final AS (
        SELECT * FROM {table} WHERE amount > 0 QUALIFY row_id IS NULL
        OR row_number() OVER (PARTITION BY row_id ORDER BY known_on DESC) = 1),
    home AS (
        SELECT household_id, arg_max(township, coalesce(valid_from, DATE '0001-01-01')) AS township
        FROM households GROUP BY 1),
    sized AS (SELECT township, count(*) >= {least} AS large FROM home GROUP BY 1),
    small AS (SELECT CASE WHEN (SELECT bool_or(large) FROM sized) THEN string_agg(township, '、' ORDER BY
        township) ELSE '' END AS names FROM sized WHERE NOT large),
    place AS (
        SELECT household_id, CASE WHEN large THEN township ELSE names END AS township
        FROM home JOIN sized USING (township), small),
    rows AS (
        SELECT household_id, {kind} AS kind, month_to // 12 AS year,
            CASE WHEN month_from = month_to THEN 'months' ELSE 'totals' END AS basis,
            sum(amount)::DOUBLE AS amount, sum(month_to - month_from + 1) AS written,
            count(DISTINCT month_to) AS months
        FROM final WHERE {kind} NOT IN ({bills}) GROUP BY ALL),
    yearly AS (
        SELECT household_id, basis, year, kind, amount, months,
            amount / (CASE WHEN basis = 'months' THEN months ELSE written END) AS rate
        FROM rows
        UNION ALL BY NAME
        SELECT household_id, basis, year, '{all}' AS kind, sum(amount) AS amount, max(months) AS months,
            sum(amount / (CASE WHEN basis = 'months' THEN months ELSE written END)) AS rate
        FROM rows GROUP BY ALL)
    SELECT '{table}' AS "table", basis, coalesce(township, '') AS township, year, kind,
        count(*) AS households, median(log10(rate)) AS level, max(months) AS months
    FROM yearly JOIN place USING (household_id) GROUP BY ALL ORDER BY ALL"""


def find_levels(county: County, bills: tuple[str, ...]) -> pd.DataFrame:
    """List groups of amounts that seem to be in another unit.

    Parameters
    ----------
    county
        The checked tables.
    bills
        Kinds of spending of which a year may well have many times another's.

    Returns
    -------
    DataFrame
        One row a group, `LEVEL_COLUMNS`: ``median`` and ``usual`` in yuan a household and month, ``factor``
        the power of ten between them (negative: too small), ``against`` what it was held against (``years``
        of the same township, ``townships`` in the same year, ``plausible`` amounts, or the other ``file``);
        township and year are empty where all are meant.
    """
    groups: list[pd.DataFrame] = []
    for table, kind in CODE_COLUMN.items():
        if county.has(table):
            listed = ", ".join(f"'{bill}'" for bill in bills)
            sql = _RATES.format(table=table, kind=kind, bills=listed, all=ALL, least=LEAST_HOUSEHOLDS)
            groups.append(county.con.con.execute(sql).df())
    cells = pd.concat(groups, ignore_index=True)
    cells = cells[(cells["households"] >= LEAST_HOUSEHOLDS) & cells["level"].notna()]
    found = [row for row in _files(cells) if county.about.unit in YUAN or row["against"] == "file"]
    whole = {(row["table"], row["basis"]) for row in found if row["against"] == "plausible"}
    for key, some in cells.groupby(["table", "basis"], sort=True):
        if key not in whole:
            found += _slips(some)
    out = pd.DataFrame(found, columns=LEVEL_COLUMNS)
    return _joined(out, cells)


def _files(cells: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield tables whose amounts as a whole are out of any range, or out of proportion to one another."""
    pooled = cells[cells["kind"] == ALL]
    for (table, basis), some in pooled[pooled["table"] == "income"].groupby(["table", "basis"], sort=True):
        yearly = 12 * 10 ** some["level"]
        if _most(~yearly.between(*PLAUSIBLE), some["households"]):
            level, n = _typical(some["level"], some)
            bound = PLAUSIBLE[0] if 12 * 10**level < PLAUSIBLE[0] else PLAUSIBLE[1]
            yield _row(
                table, basis, COUNTY, None, ALL, n, level, math.log10(bound / 12), level - EARNED, "plausible"
            )
    for basis in ("months", "totals"):
        mine = pooled[pooled["basis"] == basis].set_index(["township", "year"])
        spent = mine[mine["table"] == "spending"]
        both = spent.join(mine.loc[mine["table"] == "income", "level"].rename("earned"), how="inner")
        apart = both["level"] - both["earned"]
        if len(both) and _most(apart >= math.log10(FILES_APART), both["households"]):
            (level, n), (earned, _) = (_typical(both[c], both) for c in ("level", "earned"))
            yield _row("spending", basis, COUNTY, None, ALL, n, level, earned, level - earned, "file")


def _most(where: pd.Series, households: pd.Series) -> bool:
    """Say whether something holds of nine tenths of the households at least."""
    return float(households[where].sum()) >= 0.9 * float(households.sum())


def _typical(levels: pd.Series, cells: pd.DataFrame) -> tuple[float, int]:
    """Return the median level of households, and how many there are in the year with most."""
    most = cells.groupby("year")["households"].sum().max()
    return float(np.median(np.repeat(levels, cells["households"]))), int(most)


def _slips(cells: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield groups of one table and basis far from their own other years or from their neighbours."""
    flagged: set[tuple[str, int]] = set()
    kinds = [ALL, *sorted(set(cells["kind"]) - {ALL})]
    for kind in kinds:
        some = cells[cells["kind"] == kind]
        # Of what is off in all its kinds nothing is left to say, nor to hold other years and places against.
        some = some[[cell not in flagged for cell in zip(some["township"], some["year"], strict=True)]]
        if some.empty:
            continue
        level = some.pivot(index="township", columns="year", values="level")
        incomes = kind == ALL and some["table"].iloc[0] == "income"
        years = {place: _off_usual(level.loc[place], incomes) for place in level.index}
        places = {year: _off_usual(level[year], incomes) for year in level.columns}
        known = level.notna().sum(axis="columns").to_dict()
        for row in some.itertuples():
            by_time, by_place = years[row.township].get(row.year), places[row.year].get(row.township)
            if (
                by_place is not None
                and len(places[row.year]) == 2 <= known[row.township]
                and abs(by_place) < VERY_FAR
            ):
                by_place = None  # one neighbour alone may well be richer
            why = _judge(by_time, by_place, kind == ALL, int(row.households), int(row.months), row.basis)
            if why is None:
                continue
            off = by_time if why == "years" else by_place
            assert off is not None
            if why == "years" and known[row.township] == 2:
                own = level.loc[row.township].dropna()
                if not _to_blame(own, int(row.year)):
                    continue
            if kind == ALL:
                flagged.add((row.township, row.year))
            yield _row(
                row.table, row.basis, row.township, int(row.year), kind, int(row.households), row.level,
                row.level - off, off, why,
            )  # fmt: skip


def _off_usual(levels: pd.Series, incomes: bool) -> dict[Any, float]:
    """Return how far each of some years or townships lies from what is usual among them.

    Where they fall into two groups, usual is the one whose incomes are possible at all, else the larger one,
    else the one nearer to what a household earns; where none of this decides, each is held against the other.
    """
    order = levels.dropna().sort_values()
    if len(order) < 2:
        return {}
    gaps = order.diff().iloc[1:]
    if gaps.max() < FAR:
        return dict(zip(order.index, _off_the_others(order.to_numpy()), strict=True))
    cut = int(np.argmax(gaps)) + 1
    groups = [order.iloc[:cut], order.iloc[cut:]]
    middles = [float(group.median()) for group in groups]
    possible = [PLAUSIBLE[0] <= 12 * 10**middle <= PLAUSIBLE[1] for middle in middles]
    far = [abs(middle - EARNED) for middle in middles]
    if incomes and possible[0] != possible[1]:
        usual = possible.index(True)
    elif len(groups[0]) != len(groups[1]):
        usual = int(len(groups[1]) > len(groups[0]))
    elif abs(far[0] - far[1]) >= FAR:
        usual = int(far[1] < far[0])
    else:
        against = {name: middles[1 - side] for side, group in enumerate(groups) for name in group.index}
        return {name: float(at - against[name]) for name, at in order.items()}
    return {name: float(at - middles[usual]) for name, at in order.items()}


def _off_the_others(order: np.ndarray) -> list[float]:
    """Return how far each of some rising values lies from the median of the others."""
    n = len(order)
    place = np.arange(n)
    # Of the n - 1 others the two in the middle (the same one twice where n is even), past the value itself.
    low, high = ((n - 2) // 2, (n - 1) // 2)
    low_values, high_values = (order[middle + (place <= middle)] for middle in (low, high))
    median = low_values if low == high else (low_values + high_values) / 2
    return [float(off) for off in order - median]


def _to_blame(own: pd.Series, year: int) -> bool:
    """Say which of two years is the odd one: that out of any range, else the later one."""
    distance = (own - EARNED).abs()
    if abs(distance.iloc[0] - distance.iloc[1]) >= FAR:
        return bool(distance[year] == distance.max())
    return year == own.index.max()


def _judge(
    by_time: float | None, by_place: float | None, pooled: bool, n: int, months: int, basis: str
) -> str | None:
    """Say against what a group is too far off, if it is."""
    partly = basis == "months" and months < WHOLE_YEAR  # part of a year: the season may be all there is to it
    alone = FAR if pooled and not partly else VERY_FAR
    if by_time is not None and abs(by_time) >= alone:
        return "years"
    if by_place is not None and abs(by_place) >= alone:
        return "townships"
    if by_time is None or by_place is None or partly or n < MANY_HOUSEHOLDS:
        return None
    return "years" if by_time * by_place > 0 and min(abs(by_time), abs(by_place)) >= FAR else None


def _row(
    table: Any, basis: Any, township: Any, year: int | None, kind: str, n: int, level: float, usual: float,
    off: float, against: str,
) -> dict[str, Any]:  # fmt: skip
    size = 1 if abs(off) < 1.5 else 2 if abs(off) < 2.5 else 3 if abs(off) < 3.5 else 4
    values = (
        table, basis, township, year, kind, n, round(10**level, 4), round(10**usual, 4),
        size if off > 0 else -size, against,
    )  # fmt: skip
    return dict(zip(LEVEL_COLUMNS, values, strict=True))


def _joined(slips: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """Put groups into one row where every township of a year, or every year of a township, is off alike."""
    if len(slips):
        slips = _merged(slips, cells, "years", "year", "township", COUNTY)
        slips = _merged(slips, cells, "townships", "township", "year", None)
    slips = slips.astype({"year": "Int64"})
    return slips.sort_values(["table", "basis", "kind", "township", "year"], ignore_index=True)[LEVEL_COLUMNS]


def _merged(
    slips: pd.DataFrame, cells: pd.DataFrame, against: str, same: str, across: str, whole: str | None
) -> pd.DataFrame:
    out = []
    by = ["table", "basis", "kind", "factor", "against", same]
    for key, some in slips.groupby(by, sort=True, dropna=False):
        mine = (cells[["table", "basis", "kind", same]] == [*key[:3], key[5]]).all(axis=1)
        alike = set(cells.loc[mine, across]) == set(some[across])
        if key[4] == against and len(some) > 1 and alike:
            n = some["households"].sum() if across == "township" else some["households"].max()
            row = some.iloc[0].to_dict() | {across: whole, "households": int(n)}
            some = pd.DataFrame([row | {c: float(some[c].median()) for c in ("median", "usual")}])
        out.append(some)
    return pd.concat(out, ignore_index=True)


def level_records(slips: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what was found as plain values."""
    rows = slips.astype(object).where(slips.notna(), None).to_dict("records")
    return [{str(k): v for k, v in row.items()} for row in rows]


def level_sentences(rows: list[dict[str, Any]], lang: Language) -> list[str]:
    """Say in a line each which amounts seem to be in another unit.

    Parameters
    ----------
    rows
        From `level_records`.
    lang
        Which language.
    """
    return [_sentence(row, lang) for row in rows]


def _sentence(row: dict[str, Any], lang: Language) -> str:
    factor, size = 10 ** abs(row["factor"]), "large" if row["factor"] > 0 else "small"
    places = {
        "table": text(f"data.levels.{row['table']}_{row['basis']}", lang),
        "place": row["township"] or text("data.levels.everywhere", lang),
        "year": text("data.levels.all_years", lang) if row["year"] is None else str(row["year"]),
        "kind": "" if row["kind"] == ALL else text("data.levels.only", lang, kind=row["kind"]),
        "n": row["households"],
        "median": f"{row['median']:,.4g}",
        "usual": f"{row['usual']:,.4g}",
        "factor": f"×{factor:,}" if row["factor"] > 0 else f"1/{factor:,}",
        "unit": text(f"data.levels.unit_{size}_{abs(row['factor'])}", lang),
        "against": text(f"data.levels.against_{row['against']}", lang),
    }
    return text("data.levels.found", lang, **places)
