"""The second look by pandera: it passes what reading keeps and fails on anything else."""

from __future__ import annotations

import pandas as pd
import pytest

from riskmodel.data import from_frames
from riskmodel.data.schema import contract
from riskmodel.data.validate import schema_of, validate, witnesses
from riskmodel.errors import InputRefused

from . import exports


def spoilt(table: str, **change):
    frames = exports.frames(exports.clean())
    frames[table] = frames[table].assign(**change)
    return from_frames(frames)


def test_clean_tables_pass():
    county = from_frames(exports.frames(exports.clean()))
    for name, rows in county.tables.items():
        validate(county.con, name, rows)


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("income", {"source": "lottery"}),
        ("income", {"household_id": None}),
        ("spending", {"amount": -1.0}),
        ("members", {"disability_grade": 5}),
        ("members", {"birth_month": "1066-10"}),
        ("households", {"registration": None}),
        ("assets", {"valid_from": pd.NaT}),  # known from no day at all
    ],
)
def test_each_rule_of_the_contract_is_looked_at(table, change):
    # `from_frames` checks nothing, so it can hold what reading never lets through.
    county = spoilt(table, **change)
    with pytest.raises(InputRefused, match=f"^{table}: "):
        validate(county.con, table, county.tables[table])


def test_types_and_columns_are_looked_at():
    county = from_frames(exports.frames(exports.core()))
    rows = county.tables["income"]
    for other in (rows.drop("row_id"), rows.mutate(amount=rows.amount.cast("float64"))):
        with pytest.raises(InputRefused, match="not those of the contract"):
            validate(county.con, "income", other)


def test_witnesses_hold_every_value_that_could_fail():
    county = from_frames(exports.frames(exports.clean()))
    found = witnesses(county.con, "income")
    assert {float(a) for a in found.amount} == {1000.0, 1061.0}
    assert set(witnesses(county.con, "households").registration) == {"lifted", "general", "not_lifted"}
    assert len(found) < 5


def test_every_table_has_a_schema():
    for table in contract().tables:
        assert schema_of(table).strict
