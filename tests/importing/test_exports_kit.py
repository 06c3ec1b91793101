"""Exports whose right reading is known, where they are at hand: tables and verdicts as they should be."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

import riskmodel as rm
from riskmodel.importing import ImportResult, import_files, write_import

pytestmark = pytest.mark.slow
PERSON = [
    "birth_month",
    "sex",
    "relation",
    "schooling",
    "health",
    "disability_grade",
    "work_capacity",
    "insured",
]
HOUSE = ["township", "village", "registration", "dibao", "housing_safe", "water_safe"]
ITEMS = {"income": "source", "spending": "category"}


class Layout(NamedTuple):
    """One layout: what an import made of it, and what is true."""

    result: ImportResult
    data: Path
    truth: Path
    traps: pd.DataFrame


@pytest.fixture(scope="module", params=["A", "B", "C"])
def layout(
    request: pytest.FixtureRequest, shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Layout:
    folder = shared_data.parent / "exports" / request.param
    if not folder.is_dir():
        pytest.skip("the exports whose reading is known are not here")
    result, data = import_files([folder / "raw"]), tmp_path_factory.mktemp(request.param)
    write_import(result, data)
    return Layout(result, data, folder / "truth", text_table(folder / "traps.csv"))


def text_table(path: Path) -> pd.DataFrame:
    """Return a table as text."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    return frame.rename(columns={"class": "kind"})


def sums(folder: Path, table: str) -> dict[tuple[str, str, str, str], float]:
    """Return amounts by household, first and last month and item; of one record number the latest state."""
    rows = text_table(folder / f"{table}.csv")
    for name in ("month", "month_from", "month_to", "row_id", "recorded_on"):
        if name not in rows:
            rows[name] = ""
    rows["month"] = rows["month"].str[:7]
    numbered = rows[rows["row_id"] != ""].sort_values("recorded_on", kind="stable")
    rows = pd.concat(
        [numbered.drop_duplicates(["household_id", "row_id"], keep="last"), rows[rows["row_id"] == ""]]
    )
    first, last = (rows[c].str[:7].where(rows[c] != "", rows["month"]) for c in ("month_from", "month_to"))
    keyed = rows.assign(first=first, last=last, amount=rows["amount"].astype(float))
    return keyed.groupby(["household_id", "first", "last", ITEMS[table]])["amount"].sum().to_dict()


def people(folder: Path, table: str, columns: list[str]) -> dict[str, Counter[tuple[str, ...]]]:
    """Return the rows of each household, without their order."""
    rows = text_table(folder / f"{table}.csv").reindex(columns=["household_id", *columns]).fillna("")
    out: dict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for household, *cells in rows.itertuples(index=False):
        out[household][tuple(c.lower().removesuffix(".0")[:7] for c in cells)] += 1
    return out


def open_to_question(one: Layout) -> set[tuple[str, str]]:
    """Return households and years of which an office may decide otherwise, or must be asked."""
    some = one.traps[(one.traps["handling"] == "ask") | (one.traps["also_acceptable"] != "")]
    return set(zip(some["household_id"], some["period"].str[:4], strict=True))


@pytest.mark.parametrize("table", ["income", "spending"])
def test_amounts_are_as_they_are_true(layout, table):
    right, read, either = sums(layout.truth, table), sums(layout.data, table), open_to_question(layout)
    lost: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for row in text_table(layout.truth / "unknown.csv").itertuples():
        lost[row.household_id].append((row.month_from, row.month_to, row.item))
    wrong = []
    for key in right.keys() | read.keys():
        household, first, last, item = key
        if {(household, ""), (household, first[:4])} & either:
            continue
        hidden = any(a <= last and b >= first and i in (item, "income") for a, b, i in lost[household])
        given = right.get(key, None if hidden else 0.0)
        if given is None and read.get(key):
            wrong.append((key, "invented"))
        elif given is not None and abs(read.get(key, 0.0) - given) > 0.011:
            wrong.append((key, given, read.get(key)))
    assert not wrong


@pytest.mark.parametrize(("table", "columns"), [("households", HOUSE), ("members", PERSON)])
def test_households_and_members_are_as_they_are_true(layout, table, columns):
    right, read = people(layout.truth, table, columns), people(layout.data, table, columns)
    either = {household for household, year in open_to_question(layout) if not year}
    assert set(right) == set(read)
    assert not [h for h in right if right[h] != read[h] and h not in either]


def test_verdicts_are_as_expected_and_no_number_stands_where_none_can_be_known(layout):
    expected = text_table(layout.truth / "expected.csv")
    county, wrong = rm.read_county(layout.data), []
    for day in sorted(set(expected["as_of"]) - {""}):
        rows = rm.evaluate_rules(county, rm.load_rules("national-2021"), day).set_index("household_id")
        for row in expected[expected["as_of"] == day].itertuples():
            given = rows.loc[row.household_id] if row.household_id in rows.index else None
            pcni = None if given is None or pd.isna(given["pcni"]) else float(given["pcni"])
            allowed = {row.pcni, row.fallback_pcni} if row.income_known == "no" else {row.pcni}
            near = any(a and pcni is not None and abs(pcni - float(a)) < 0.01 for a in allowed)
            if row.income_known == "no":
                good = pcni is None or near
            else:
                good = given is not None and near and given["category"] == row.verdict
            if not good and not row.also_acceptable:
                wrong.append((row.household_id, day, pcni, row.pcni))
    assert not wrong


def test_what_must_be_asked_is_asked_and_nothing_is_refused_in_silence(layout):
    account = layout.result.as_dict("en")
    assert account["asked"]
    for source in account["sources"]:
        assert source["rows"] == source["used"] + source["rejected"] + source["skipped"]
        assert source["used"] or source["why"]
    assert not layout.result.blocking
