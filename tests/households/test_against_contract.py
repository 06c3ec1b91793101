"""The package and an independent reading of the contract agree of every household of random counties.

`contract_reading` is written from the text of the contract alone, household by household; the package adds up
whole counties at once. Where the two differ, the contract's words decide which is mended.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

from riskmodel.households import AccountingPeriod, KnownCounty, Moment, as_moments

from .contract_reading import Account, reading
from .contract_reading_rows import CATEGORIES, SOURCES, month_number
from .random_counties import RandomCounty, as_county, as_tables, random_county

DAYS = tuple(dt.date.fromisoformat(d) for d in ("2019-12-31", "2020-09-30", "2021-03-15", "2021-06-30"))
LOOKING_BACK = tuple(
    Moment(dt.date.fromisoformat(a), dt.date.fromisoformat(b))
    for a, b in (("2020-06-30", "2020-09-28"), ("2021-02-28", "2022-02-28"))
)
PREFIXES = ("", "previous_", "before_previous_")
# What a reader of files finds, or what only the reading tells of.
NOT_OURS = {"equal_rows", "ambiguous_correction", "tilings_differ"}
WHAT = (
    *(f"{p}{c}" for p in PREFIXES for c in ("persons", "net_income", "pcni")), "rigid",
    *(f"income_{s}" for s in SOURCES), *(f"spending_{c}" for c in CATEGORIES),
    "period_from", "period_to", "lag_months", "income_basis", "income_reason", "doubts",
    "pcni_low", "pcni_high", "event_after_period",
)  # fmt: skip


def expected(account: Account, shifts: bool) -> dict[str, Any]:
    """What the reading says of a household, by the package's names."""
    said = {name: getattr(account, name) for name in WHAT if hasattr(account, name)}
    said |= {f"income_{s}": account.income[s] for s in SOURCES}
    said |= {f"spending_{c}": account.spending[c] for c in CATEGORIES}
    for end in ("period_from", "period_to"):
        said[end] = None if said[end] is None else month_number(said[end])
    # What ceased is no matter of a label, which looks back.
    said["doubts"] = set(account.doubts) - NOT_OURS - (set() if shifts else {"maybe_stopped"})
    # An event only matters after a period that lags.
    said["event_after_period"] = account.event_after_period and bool(account.lag_months)
    return said


def found(row: dict[str, Any]) -> dict[str, Any]:
    """What the package says of a household."""
    said = {name: None if _missing(row.get(name)) else row.get(name) for name in WHAT}
    said["doubts"] = {word for word in str(row["doubts"] or "").split(";") if word} - NOT_OURS
    said["income_basis"] = said["income_basis"] or None
    said["event_after_period"] = bool(row["changed_since"])
    return said


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value)) or value is pd.NaT


def _same(one: Any, other: Any) -> bool:
    if one is None or other is None or isinstance(one, str | set):
        return bool(one == other)
    return abs(float(one) - float(other)) <= 1e-6 * max(1.0, abs(float(one)))


def differences(made: RandomCounty, moments: tuple[Moment, ...], shifts: bool = True) -> Iterator[str]:
    """Yield in words where the two disagree."""
    period = AccountingPeriod(follows_lag=shifts)
    frame = KnownCounty(as_county(made), moments).accounts(period).to_pandas()
    for moment in moments:
        account = reading(as_tables(made), made.about, moment.as_of, moment.known_by, shifts=shifts)
        rows = frame[frame["as_of"] == pd.Timestamp(moment.as_of)].set_index("household_id")
        ours = {str(number): found(row) for number, row in rows.to_dict("index").items()}
        theirs = {number: expected(one, shifts) for number, one in account.items()}
        for number in sorted(ours.keys() | theirs.keys()):
            where = f"{number} on {moment.as_of}"
            if number not in ours or number not in theirs:
                yield f"{where}: {'not put out' if number not in ours else 'put out'}"
                continue
            for name in WHAT:
                one, other = ours[number][name], theirs[number][name]
                if not _same(one, other):
                    yield f"{where}: {name} is {one}, by the contract {other}"


def disagreements(seeds: range) -> list[str]:
    """Return where the two disagree over some counties, as known on the day and looking back."""
    out = []
    for seed in seeds:
        made = random_county(seed)
        out += [f"{seed}: {text}" for text in differences(made, as_moments(DAYS))]
        out += [f"{seed}, looking back: {text}" for text in differences(made, LOOKING_BACK, shifts=False)]
    return out


def test_the_package_says_what_the_contract_says() -> None:
    assert disagreements(range(8)) == []


@pytest.mark.slow
@pytest.mark.parametrize("first", range(100, 300, 20))
def test_the_package_says_what_the_contract_says_of_thousands(first: int) -> None:
    assert disagreements(range(first, first + 20)) == []
