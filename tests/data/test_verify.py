"""The second look at the tables kept: it passes what reading keeps and fails on anything else."""

from __future__ import annotations

import pandas as pd
import pytest

from riskmodel.data import from_frames
from riskmodel.data.read import verify_table
from riskmodel.errors import InputRefused

from . import exports


def spoilt(table: str, **change):
    frames = exports.frames(exports.clean())
    frames[table] = frames[table].assign(**change)
    return from_frames(frames)


def test_clean_tables_pass():
    county = from_frames(exports.frames(exports.clean()))
    for name, rows in county.tables.items():
        verify_table(county.con, name, rows)


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
        verify_table(county.con, table, county.tables[table])


def test_types_and_columns_are_looked_at():
    county = from_frames(exports.frames(exports.core()))
    rows = county.tables["income"]
    for other in (rows.drop("row_id"), rows.mutate(amount=rows.amount.cast("float64"))):
        with pytest.raises(InputRefused, match="not those of the contract"):
            verify_table(county.con, "income", other)
