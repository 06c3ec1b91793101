"""What must hold of `contract_reading` on any county: the order of rows and the future change nothing."""

from __future__ import annotations

import datetime as dt
import random

import pytest

from .contract_cases import County, span
from .contract_reading import reading
from .contract_reading_rows import SOURCES, rejected_known_on, with_days

AS_OF = dt.date(2021, 3, 31)
TOWNS = ("east", "west")
NUMBERS = [f"H{i}" for i in range(9)]


def any_day(rng: random.Random, first: int = 2019, last: int = 2021) -> str:
    return f"{rng.randint(first, last)}-{rng.randint(1, 12):02d}-{rng.choice((1, 2, 15, 28)):02d}"


def any_span(rng: random.Random) -> tuple[str, str]:
    months = span("2019-01", "2021-06")
    first = rng.randrange(len(months))
    return months[first], months[min(len(months) - 1, first + rng.choice((0, 2, 5, 11)))]


def any_county(seed: int) -> County:
    """Households of two townships with every table, most of them regular, some in every kind of trouble."""
    rng = random.Random(seed)
    c = County(data_through=rng.choice(("2021-04-30", "2022-12-31")), snapshot_on="2020-06-01")
    c.about["recording_delay_days"] = rng.choice((0, 20))
    if rng.random() < 0.3:
        c.about |= {"coverage": "whole", "records_from": rng.choice(("2019-06", {"east": "2019-06"}))}
    for number in NUMBERS:
        c.home(
            number,
            rng.choice(("2015-01-01", "2019-09-02", None)),
            rng.randint(1, 2),
            township=rng.choice(TOWNS),
        )
        months = span("2019-01", rng.choice(("2020-12", "2021-03")))
        c.wages(number, [m for m in months if rng.random() < 0.95], rng.choice((100, 250)))
        c.spends(number, months, rng.choice((10, 20)), rng.choice(("living", "production", "medical")))
        c.wages(number, ["2021-04"], 5000).spends(number, ["2021-04"], 5000, "production")  # after as-of
    for _ in range(6):
        trouble(rng, c)
    return c


def trouble(rng: random.Random, c: County) -> None:
    number, (first, last), recorded_on = rng.choice(NUMBERS), any_span(rng), any_day(rng)
    kind = rng.choice(("total", "off", "on", "rejected", "person", "home", "link", "correction", "move"))
    if kind == "total":
        c.total(number, first, last, rng.choice((500, 900)), rng.choice(SOURCES), recorded_on="2021-01-15")
        c.total(number, first, last, 30, "production", recorded_on=rng.choice(("2021-01-15", recorded_on)))
    elif kind == "off":
        of, item = rng.choice((("income", None), ("spending", "medical"), ("members", None)))
        c.unrecorded(number, of, first, last, "unreadable", recorded_on=recorded_on, item=item)
    elif kind == "on":
        c.recorded(number, rng.choice(("income", "spending")), first, last, recorded_on=recorded_on)
    elif kind == "rejected":
        c.rejected("income", number, month_from=first, month_to=last, recorded_on=recorded_on, row_id="r1")
    elif kind == "person":
        c.rejected("members", number, member_id=f"{number}.0", valid_from=rng.choice((None, recorded_on)))
        c.row("members", member_id=f"{number}.0", household_id=number, valid_from=any_day(rng))
    elif kind == "home":
        c.rejected("households", number, valid_from=recorded_on)
    elif kind == "link":
        other = rng.choice([n for n in NUMBERS if n != number])
        c.link(
            number,
            other,
            rng.choice(("recode", "merge", "split")),
            any_day(rng, 2020),
            recorded_on=recorded_on,
        )
    elif kind == "correction":
        for amount in rng.sample((1, 2, 3), 2):
            c.wages(number, [first], amount, row_id=rng.choice(("r1", "r2")), recorded_on=recorded_on)
    else:
        c.row("households", household_id=number, township=rng.choice(TOWNS), valid_from=recorded_on,
              registration="lifted")  # fmt: skip


@pytest.mark.parametrize("seed", range(40))
def test_the_order_of_rows_never_decides(seed: int) -> None:
    c = any_county(seed)
    before = reading(c.tables, c.about, AS_OF)
    assert before
    rng = random.Random(seed + 1)
    turned = {name: rng.sample(rows, len(rows)) for name, rows in c.tables.items()}
    assert reading(turned, c.about, AS_OF) == before


@pytest.mark.parametrize("seed", range(40))
def test_nothing_recorded_after_as_of_has_an_effect(seed: int) -> None:
    c = any_county(seed)
    known = {
        name: [
            row
            for row in rows
            if (
                rejected_known_on(row, c.about)
                if name == "rejected"
                else with_days(name, row, c.about)["_known"]
            )
            <= AS_OF
        ]
        for name, rows in c.tables.items()
    }
    assert reading(known, c.about, AS_OF) == reading(c.tables, c.about, AS_OF)


@pytest.mark.parametrize("seed", range(40))
def test_what_is_put_out_is_consistent(seed: int) -> None:
    c = any_county(seed)
    for number, a in reading(c.tables, c.about, AS_OF).items():
        assert number == a.household_id
        assert a.on_record["income"] <= a.on_record_before_off["income"]
        assert (a.pcni is None) == (a.income_reason is not None), number
        assert a.income_reason is None or a.income_reason in a.doubts
        assert (a.period_to is None) == (a.lag_months is None) == (a.income_basis is None)
        assert a.lag_months is None or a.lag_months >= 0
        if a.pcni_low is not None and a.pcni_high is not None:
            assert a.pcni_low <= a.pcni_high
        assert not a.clear_allowed or (a.pcni is not None and a.pcni == a.pcni_low)
