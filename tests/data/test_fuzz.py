"""Whatever is done to an export's bytes, reading ends in a county or in a refusal, with nothing lost."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from riskmodel.data import write_county
from riskmodel.data.read import read_tables
from riskmodel.errors import InputRefused

from . import exports
from .test_read import nothing_is_lost

ROWS = exports.core(n=2)
HOSTILE = [
    "=1+1",
    '"',
    ",",
    "\n",
    "9" * 30,
    "-1",
    "NaN",
    "inf",
    "1e308",
    "2021-02-30",
    "\x00",
    "户",
    "é",
    "",
    "0",
    "一",
]
# One example takes about a second, so a failing one is shown as found, not shrunk.
SLOW = settings(
    deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow]
)
bytes_ = st.binary(min_size=0, max_size=3) | st.sampled_from([text.encode() for text in HOSTILE])
change = st.tuples(
    st.sampled_from(["农户", "家庭成员", "收入"]), st.integers(0, 2000), st.integers(0, 3), bytes_
)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@settings(SLOW, max_examples=12)
@given(changes=st.lists(change, min_size=1, max_size=4))
def test_corrupted_csv(home, changes):
    folder = exports.write_chinese(home, ROWS, "utf-8")
    for table, at, length, new in changes:
        path = folder / f"{table}.csv"
        content = path.read_bytes()
        at %= len(content) + 1
        path.write_bytes(content[:at] + new + content[at + length :])
    try:
        reading = read_tables(folder)
    except InputRefused:
        return
    nothing_is_lost(reading)


@settings(SLOW, max_examples=12)
@given(at=st.integers(0, 5000), length=st.integers(0, 40), new=st.binary(max_size=40))
def test_corrupted_parquet(home, at, length, new):
    folder = write_county(exports.frames(ROWS), home / "parquet")
    path = folder / "income.parquet"
    content = path.read_bytes()
    at %= len(content)
    path.write_bytes(content[:at] + new + content[at + length :])
    try:
        reading = read_tables(folder)
    except InputRefused:
        return
    nothing_is_lost(reading)


cell = st.none() | st.text(max_size=6) | st.integers() | st.floats() | st.dates() | st.booleans()


@settings(SLOW, max_examples=8)
@given(values=st.lists(st.tuples(*[cell] * 4), min_size=1, max_size=6))
def test_any_values(home, values):
    # Any values at all, as text: each row is kept or kept out with a reason.
    rows = {**ROWS, "income": list(ROWS["income"])}
    for row in values:
        texts = ("" if v is None else str(v) for v in row)
        rows["income"].append(dict(zip(("household_id", "month", "source", "amount"), texts, strict=True)))
    reading = read_tables(exports.write_chinese(home / "any", rows, "utf-8"))
    nothing_is_lost(reading)
