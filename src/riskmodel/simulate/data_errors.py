"""Data errors on demand: a clean simulated county given the errors that offices make, each in a log.

The log says what was done to which row, so that cleaning and checks can be scored (`detection_rates`). A row
receives at most one error.

Who stands just above the line at a year's end: whose income is most easily written a little lower.

`detection_rates` says how many of them a check finds, and how many of its alarms are false.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pydantic import Field

from riskmodel.io import Spec, find_declaration, load_spec
from riskmodel.simulate.state import Bools, Ints


def just_above_line(
    income: pd.DataFrame, spending: pd.DataFrame, members: pd.DataFrame, line: float, above: float
) -> pd.DataFrame:
    """Return household-years whose net income a head is at most a share of the line above it."""
    earned = income.assign(year=income["month"].str[:4], at=range(len(income)))
    key = ["household_id", "year"]
    net = earned.groupby(key)["amount"].sum()
    spent = spending[spending["category"] == "production"]
    costs = spent.assign(year=spent["month"].str[:4]).groupby(key)["amount"].sum()
    left = net - costs.reindex(net.index, fill_value=0)
    table = left.to_frame("net").reset_index()
    whole = earned.groupby("year")["month"].nunique() == 12
    table = table[table["year"].map(whole)]
    # The version of a member that was recorded last under each key holds.
    valid = members.sort_values("recorded_on", kind="stable").drop_duplicates(
        ["member_id", "valid_from"], keep="last"
    )
    parts = []
    for year in table["year"].unique():
        day = pd.Timestamp(f"{year}-12-31")
        present = valid[(valid["valid_from"] <= day) & (valid["valid_to"].isna() | (valid["valid_to"] > day))]
        parts.append(present.groupby("household_id").size().rename("persons").reset_index().assign(year=year))
    persons = pd.concat(parts) if parts else pd.DataFrame(columns=[*key, "persons"])
    table = table.merge(persons, on=key)
    table["pcni"] = table["net"] / table["persons"]
    near = table[(table["pcni"] >= line) & (table["pcni"] <= line * (1 + above))]
    largest = earned.sort_values(["amount", "at"]).drop_duplicates(key, keep="last")[[*key, "at", "amount"]]
    out = near.merge(largest.rename(columns={"amount": "largest"}), on=key)
    return out[[*key, "pcni", "persons", "at", "largest"]].sort_values(key, ignore_index=True)


PROFILES = Path(__file__).with_name("dirt")
LOG = "spoiled.csv"
COLUMNS = ["slip", "table", "row", "household_id", "month", "kind", "amount_true", "amount_written",
           "recorded_true", "recorded_written", "household_true"]  # fmt: skip
SPOILED = {"income": "source", "spending": "category"}
WAN, TEN, YEAR = 10_000, 10, 12


class Late(Spec):
    """Household-months or rows, and how many days on average."""

    share: float = Field(ge=0, le=1)
    mean_days: float = Field(gt=0)


class Share(Spec):
    """Household-months or rows."""

    share: float = Field(ge=0, le=1)


class Heaped(Spec):
    """Household-years written just below the line: which (share of the line above it), and how far below."""

    share: float = Field(ge=0, le=1)
    above: float = Field(gt=0, lt=1)
    below: float = Field(gt=0, lt=1)


class ErrorProfile(Spec):
    """How often each slip happens; see ``dirt/default.yaml``."""

    id: str
    late: Late
    corrected: Late
    missing_month: Share
    times_ten: Share
    wan: Share
    annual: Share
    duplicate: Share
    swapped: Share
    heaped: Heaped


SLIPS = tuple(name for name in ErrorProfile.model_fields if name != "id")


def load_error_profile(name: str | Path | ErrorProfile = "default") -> ErrorProfile:
    """Read how often records go wrong.

    Parameters
    ----------
    name
        The id of a packaged file, a path to a ``.yaml``, or an `ErrorProfile` (returned as it is).

    Returns
    -------
    ErrorProfile
        Shares of rows and household-months, by kind of error.

    Raises
    ------
    UsageError
        If there is no such id.
    InputMissing
        If there is no such file.
    SpecError
        If it does not fit.

    Examples
    --------
    >>> load_error_profile().wan.share
    0.003
    """
    if isinstance(name, ErrorProfile):
        return name
    return load_spec(find_declaration(name, PROFILES, "dirt profile"), ErrorProfile)


@dataclass
class _Table:
    """One table that receives errors: its rows, those that are dropped, those that are added, and the log."""

    name: str
    rows: pd.DataFrame
    touched: Bools
    dropped: Bools
    added: list[pd.DataFrame] = field(default_factory=list)
    log: list[pd.DataFrame] = field(default_factory=list)

    @classmethod
    def of(cls, name: str, table: pa.Table) -> _Table:
        rows = table.to_pandas(date_as_object=False)
        rows = rows.assign(amount=rows["amount"].astype(float), row_id=None)
        n = len(rows)
        return cls(name, rows, np.zeros(n, bool), np.zeros(n, bool))

    def free(self, where: Bools) -> Ints:
        """Return the places of untouched rows and claim them."""
        at = np.flatnonzero(where & ~self.touched)
        self.touched[at] = True
        return at

    def note(self, slip: str, at: Ints, before: pd.DataFrame, after: pd.DataFrame | None = None) -> None:
        """Log what rows were and what they are now; ``at`` are their places."""
        now = before if after is None else after
        self.log.append(
            pd.DataFrame(
                {
                    "slip": slip,
                    "table": self.name,
                    "row": at,
                    "household_id": now["household_id"].to_numpy(),
                    "month": before["month"].to_numpy(),
                    "kind": before[SPOILED[self.name]].to_numpy(),
                    "amount_true": before["amount"].to_numpy(),
                    "amount_written": np.nan if slip == "missing_month" else now["amount"].to_numpy(),
                    "recorded_true": before["recorded_on"].to_numpy(),
                    "recorded_written": now["recorded_on"].to_numpy(),
                    "household_true": before["household_id"].to_numpy(),
                }
            )
        )


def inject_errors(
    tables: dict[str, pa.Table],
    how: ErrorProfile,
    rng: np.random.Generator,
    *,
    line: float,
    promised_days: int,
    end: pd.Timestamp,
    first_row: dict[str, int] | None = None,
) -> tuple[dict[str, pa.Table], pd.DataFrame]:
    """Inject data errors into a county's income and spending.

    Parameters
    ----------
    tables : dict of pa.Table
        As simulated; not changed.
    how
        Which errors, and how often.
    rng
        The source of chance: the same state gives the same errors.
    line : float
        Yuan a head and year, that heaping stays below.
    promised_days : int
        ``recording_delay_days`` of ``about.yaml``; late means later than that.
    end : Timestamp
        Rows recorded later are not there yet.
    first_row : dict, optional
        Rows already written to each table's file.

    Returns
    -------
    tables : dict of pa.Table
        ``income`` and ``spending`` with errors (amounts float, a ``row_id`` column), ``recorded`` as these
        were written up, the others as they were.
    log : DataFrame
        A row an altered row, see `COLUMNS`; ``row`` counts the rows of the written file from 1 and is null
        where nothing was written.
    """
    sheets = {name: _Table.of(name, tables[name]) for name in SPOILED}
    _heap(sheets["income"], sheets["spending"], tables["members"], how.heaped, rng, line)
    _months(sheets, how, rng, promised_days)
    coverage = {"recorded": _recorded(tables["recorded"], sheets, end)} if "recorded" in tables else {}
    for sheet in sheets.values():
        _rows(sheet, how, rng)
    written, logs, offset = {}, [], first_row or {}
    for name, sheet in sheets.items():
        table, log = _assemble(sheet, end, offset.get(name, 0))
        written[name] = table
        logs.append(log)
    return tables | coverage | written, pd.concat(logs, ignore_index=True)[COLUMNS]


def _recorded(table: pa.Table, sheets: dict[str, _Table], end: pd.Timestamp) -> pa.Table:
    """Return ``recorded`` after `_months`: it follows what was written, under whose number, and when."""
    log = pd.concat([part for sheet in sheets.values() for part in sheet.log], ignore_index=True)
    log = log.drop_duplicates(["household_true", "month"]).set_index(["household_true", "month"])
    rows = table.select(["household_id", "month_from", "recorded_on"]).to_pandas(date_as_object=False)
    slips = log.reindex(pd.MultiIndex.from_frame(rows[["household_id", "month_from"]]))
    on = slips["recorded_written"].where((slips["slip"] == "late").to_numpy()).reset_index(drop=True)
    on = on.fillna(rows["recorded_on"])
    there = ~slips["slip"].isin(["missing_month", "swapped"]).to_numpy() & (on <= end).to_numpy()
    column = pa.Array.from_pandas(on.dt.date, type=pa.date32())
    place = table.schema.get_field_index("recorded_on")
    return table.set_column(place, "recorded_on", column).filter(pa.array(there))


def _months(
    sheets: dict[str, _Table], how: ErrorProfile, rng: np.random.Generator, promised_days: int
) -> None:
    """Alter whole household-months in both tables: late, missing, under the neighbour's number."""
    both = pd.concat([s.rows["household_id"] + s.rows["month"] for s in sheets.values()])
    code, groups = pd.factorize(both)
    parts = np.split(code, [len(sheets["income"].rows)])
    for slip in ("late", "missing_month", "swapped"):
        hit = rng.random(len(groups)) < getattr(how, slip).share
        wait = promised_days + 1 + rng.exponential(how.late.mean_days, len(groups)).astype(int)
        for sheet, mine in zip(sheets.values(), parts, strict=True):
            at = sheet.free(hit[mine])
            before = sheet.rows.iloc[at].copy()
            label = sheet.rows.index[at]
            if slip == "missing_month":
                sheet.dropped[at] = True
            elif slip == "late":
                ends = pd.to_datetime(before["month"]) + pd.offsets.MonthEnd(0)
                on = ends + pd.to_timedelta(wait[mine][at], unit="D")
                sheet.rows.loc[label, "recorded_on"] = on.astype(before["recorded_on"].dtype)
            else:
                sheet.rows.loc[label, "household_id"] = _neighbours(sheet.rows, before)
            sheet.note(slip, at, before, sheet.rows.iloc[at])


def _neighbours(rows: pd.DataFrame, of: pd.DataFrame) -> np.ndarray:
    """Return the id of each household's neighbour: the next one, of the last the one before."""
    ids = np.unique(rows["household_id"].to_numpy().astype(str))
    at = np.searchsorted(ids, of["household_id"].to_numpy().astype(str))
    return ids[np.where(at + 1 < len(ids), at + 1, np.maximum(at - 1, 0))].astype(object)


Change = Callable[[pd.Series], pd.Series]
UNITS: dict[str, Change] = {
    "times_ten": lambda amount: amount * TEN,
    "wan": lambda amount: (amount / WAN).round(4),
    "annual": lambda amount: amount * YEAR,
}


def _rows(sheet: _Table, how: ErrorProfile, rng: np.random.Generator) -> None:
    """Alter single rows: unit slips, wrong first entries, double entries."""
    n = len(sheet.rows)
    wages = (sheet.rows[SPOILED[sheet.name]] == "wage").to_numpy()
    for slip, change in UNITS.items():
        hit = rng.random(n) < getattr(how, slip).share
        at = sheet.free(hit & wages if slip == "annual" else hit)
        before = sheet.rows.iloc[at].copy()
        sheet.rows.loc[sheet.rows.index[at], "amount"] = change(before["amount"])
        sheet.note(slip, at, before, sheet.rows.iloc[at])
    _correct(sheet, how.corrected, rng)
    at = sheet.free(rng.random(n) < how.duplicate.share)
    twice = sheet.rows.iloc[at]
    sheet.added.append(twice)
    sheet.note("duplicate", n + sum(map(len, sheet.added[:-1])) + np.arange(at.size), twice)


def _correct(sheet: _Table, how: Late, rng: np.random.Generator) -> None:
    """Write rows wrong at first, and again, right, later under the same number."""
    n = len(sheet.rows)
    at = sheet.free(rng.random(n) < how.share)
    before = sheet.rows.iloc[at].copy()
    label = sheet.rows.index[at]
    number = before["household_id"] + "-" + before["month"] + "-" + before[SPOILED[sheet.name]]
    sheet.rows.loc[label, "row_id"] = sheet.name[0].upper() + number
    right = sheet.rows.iloc[at].copy()
    wait = pd.to_timedelta(1 + rng.exponential(how.mean_days, at.size).astype(int), unit="D")
    right["recorded_on"] = (pd.to_datetime(right["recorded_on"]) + wait).astype(before["recorded_on"].dtype)
    sheet.rows.loc[label, "amount"] = (before["amount"] * rng.choice([1 / TEN, TEN], at.size)).round(4)
    sheet.added.append(right)
    sheet.note("corrected", at, before, sheet.rows.iloc[at])


def _heap(
    income: _Table, spending: _Table, members: pa.Table, how: Heaped, rng: np.random.Generator, line: float
) -> None:
    """Write some households that are just above the line as just below it: one row of the year less."""
    near = just_above_line(
        income.rows, spending.rows, members.to_pandas(date_as_object=False), line, how.above
    )
    near = near[rng.random(len(near)) < how.share]
    aim = line * (1 - how.below * rng.random(len(near)))
    less = np.ceil((near["pcni"].to_numpy() - aim) * near["persons"].to_numpy())
    enough = near["largest"].to_numpy() > less
    at, less = near["at"].to_numpy()[enough], less[enough]
    at = at.astype(np.int64)
    first = np.unique(at, return_index=True)[1]
    at, less = at[first], less[first]
    income.touched[at] = True
    before = income.rows.iloc[at].copy()
    income.rows.loc[income.rows.index[at], "amount"] = before["amount"] - less
    income.note("heaped", at, before, income.rows.iloc[at])


def _assemble(sheet: _Table, end: pd.Timestamp, offset: int) -> tuple[pa.Table, pd.DataFrame]:
    """Return the table as written, and its log with row numbers of the file."""
    rows = pd.concat([sheet.rows, *sheet.added], ignore_index=True)
    dropped = np.concatenate([sheet.dropped, np.zeros(len(rows) - sheet.dropped.size, bool)])
    present = ~dropped & (rows["recorded_on"] <= end).to_numpy()
    number = np.where(present, offset + np.cumsum(present), 0)
    log = pd.concat(sheet.log, ignore_index=True)
    places = number[log["row"].to_numpy(dtype=np.int64)]
    log["row"] = pd.array(places, "Int64")
    log.loc[places == 0, "row"] = pd.NA
    columns = {
        "household_id": pa.string(),
        "month": pa.string(),
        SPOILED[sheet.name]: pa.string(),
        "amount": pa.float64(),
        "row_id": pa.string(),
        "recorded_on": pa.date32(),
    }
    table = pa.Table.from_pandas(
        rows[present][list(columns)], schema=pa.schema(columns), preserve_index=False
    )
    return table.replace_schema_metadata(None), log


Cells = set[tuple[str, ...]]
KEY = ["table", "household_id", "month"]
FALSE = "(false alarms)"
LISTED = "(in a heap, as true as written)"
# What a check need not or cannot name, and why; said beside its share.
WHY = {
    "corrected": "needs no finding: the later row holds from its day on",
    "heaped": "no single row shows it: found are those whose place is warned of, listed with the true ones",
    "times_ten": "not sought among bills: ten times the usual one is what illness looks like",
    "missing_month": "a month at either end, or one of several in a row, may be a household without income",
    "annual": "in a season of few wages twelve months of them are less than six times the usual one",
}


def detection_rates(
    log: pd.DataFrame, rejected: pd.DataFrame, suspects: pd.DataFrame, heaped: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Score checks against the log: how many slips of each kind they name.

    Parameters
    ----------
    log : DataFrame
        From `inject_errors`.
    rejected : DataFrame
        ``file, row`` of rows kept out (``rejected.csv``).
    suspects : DataFrame
        ``table, household_id, month, kind`` of rows that a check doubts (``suspects.csv``); a null kind
        doubts the whole month.
    heaped : DataFrame, optional
        ``household_id, year`` of those who stand in a heap (``heaped.csv``).

    Returns
    -------
    DataFrame
        ``slip, spoiled, rejected, suspected, found, share, why``, a row a slip (``why`` not all can be
        found); then the false alarms: rejected rows and suspects that no slip explains, and those listed in
        a heap who were not put there.
    """
    rows = log.assign(
        row=pd.to_numeric(log["row"]).fillna(0).astype("int64"), year=log["month"].astype(str).str[:4]
    )
    file = rejected["file"].astype("string").str.replace(r"\..*$", "", regex=True)
    out = set(zip(file, pd.to_numeric(rejected["row"]).astype("int64"), strict=True))
    cells, months = _suspect_cells(suspects)
    listed = set() if heaped is None else set(_keys(heaped, ["household_id", "year"]))
    places = list(zip(rows["table"], rows["row"], strict=True))
    written, true = _keys(rows, [*KEY, "kind"]), _keys(rows, ["table", "household_true", "month"])
    years, is_heaped = _keys(rows, ["household_id", "year"]), rows["slip"] == "heaped"
    rows["rejected"] = [place in out for place in places]
    rows["suspected"] = [
        cell in cells or cell[:-1] in months or own in months or (heap and year in listed)
        for cell, own, year, heap in zip(written, true, years, is_heaped, strict=True)
    ]
    rows["found"] = rows["rejected"] | rows["suspected"]
    by = rows.groupby("slip")[["rejected", "suspected", "found"]].sum()
    by.insert(0, "spoiled", rows.groupby("slip").size())
    by = by.reindex([s for s in SLIPS if s in by.index]).reset_index()
    by["share"] = by["found"] / by["spoiled"]
    by["why"] = by["slip"].map(WHY).fillna("")
    wrong_cells = len(cells - set(written)) + len(months - {cell[:-1] for cell in written} - set(true))
    put_there = {year for year, heap in zip(years, is_heaped, strict=True) if heap}
    alarms = [_alarm(FALSE, len(out - set(places)), wrong_cells), _alarm(LISTED, 0, len(listed - put_there))]
    return pd.concat([by, pd.DataFrame(alarms)], ignore_index=True)


def _alarm(name: str, rejected: int, suspected: int) -> dict[str, object]:
    return {"slip": name, "spoiled": 0, "rejected": rejected, "suspected": suspected,
            "found": rejected + suspected, "why": ""}  # fmt: skip


def _keys(rows: pd.DataFrame, columns: list[str]) -> list[tuple[str, ...]]:
    return list(rows[columns].astype(str).itertuples(index=False, name=None))


def _suspect_cells(suspects: pd.DataFrame) -> tuple[Cells, Cells]:
    whole = suspects["kind"].isna()
    return set(_keys(suspects[~whole], [*KEY, "kind"])), set(_keys(suspects[whole], KEY))
