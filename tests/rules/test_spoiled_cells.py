"""Nobody leaves a list because of a cell: who was flagged is, or is unknown and told so, or on the sheet."""

from __future__ import annotations

import random

import pandas as pd
import pytest

from riskmodel.data import About, contract, from_frames
from riskmodel.rules import evaluate_rules, find_dropped

from .counties import ABOUT, AS_OF, COLUMNS, Tables, county_rows, seeded

RULESETS = ("national-2021", "causes-2020", "county-2020", "dali-2021", "classes-2020", "yingjiang-2022")
BAD = ("√", "看不清", "2020-13-45", None)
# Without its number nobody can say whose a row was; rows that name no other are told in rejected.csv alone.
NOBODYS = {(table, "household_id") for table in COLUMNS}


def frames(tables: Tables) -> dict[str, pd.DataFrame]:
    return {name: pd.DataFrame(rows, columns=COLUMNS[name], dtype=object) for name, rows in tables.items()}


def spoil(tables: Tables, seed: int, cells: int) -> tuple[Tables, list[str]]:
    """Make some cells of a county unreadable: text, a tick, no date, or nothing where it is required."""
    rng = random.Random(seed)
    out = {name: [dict(row) for row in rows] for name, rows in tables.items()}
    places = [
        (name, i, column)
        for name, rows in tables.items() if name != "recorded"
        for i, row in enumerate(rows)
        for column in COLUMNS[name]
        if row.get(column) is not None and (name, column) not in NOBODYS
    ]  # fmt: skip
    said = []
    for name, i, column in rng.sample(places, min(cells, len(places))):
        spec = contract().tables[name].columns.get(column)
        if spec is not None and spec.type in ("id", "text"):
            bad = None if spec.required else "=A1"
        else:
            bad = rng.choice(BAD if spec is not None and spec.required else BAD[:-1])
        out[name][i][column] = bad
        said.append(f"{name} {i} {column} {tables[name][i][column]!r} -> {bad!r}")
    return out, said


def missing(seed: int, cells: int) -> list[str]:
    """Return who was flagged and is neither flagged, nor unknown with a reason, nor on the sheet."""
    rng = random.Random(seed)
    tables = county_rows(seeded(seed), 12)
    about = About(**ABOUT)
    ruleset, day = rng.choice(RULESETS), rng.choice(AS_OF)
    before = evaluate_rules(from_frames(frames(tables), about), ruleset, day)
    spoiled, said = spoil(tables, seed, cells)
    county = from_frames(frames(spoiled), about)
    after = evaluate_rules(county, ruleset, day).set_index("household_id")
    sheet = set(find_dropped(county, ruleset, day, verdicts=after.reset_index())["household_id"])
    out = []
    for household in before.loc[before["flagged"].eq(True), "household_id"]:
        here = household in after.index
        told = here and bool(after.at[household, "unknown"])
        if not (here and after.at[household, "flagged"]) and not told and household not in sheet:
            row = after.loc[household].to_dict() if here else "gone"
            out.append(f"{ruleset} {day} {household}: {row}: {said}")
    return out


@pytest.mark.parametrize("seed", range(2))
def test_nobody_leaves_a_list_because_of_a_cell(seed: int) -> None:
    assert missing(seed, 40) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 140))
def test_nobody_leaves_a_list_because_of_some_cell_of_many_counties(seed: int) -> None:
    assert missing(seed, 1 + seed % 60) == []
