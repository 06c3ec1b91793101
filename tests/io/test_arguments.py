"""What is handed in is held against its annotation, in words that name argument, value and what is wanted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest

from riskmodel.errors import UsageError
from riskmodel.io.arguments import check_arguments, field_problems

Day = str | dt.date


def plan(
    day: Day,
    visits: int,
    share: float = 0.5,
    days: Day | Iterable[Day] | None = None,
    kinds: Sequence[Literal["one", "two"]] = ("one",),
    out: str | Path = "out",
    extra: Mapping[str, Any] | None = None,
    tell: Callable[[str], None] | None = None,
    table: pd.DataFrame | None = None,
) -> str:
    """Return the day."""
    return str(day)


checked = check_arguments(plan, __name__)


@pytest.mark.parametrize(
    "given",
    [
        {"visits": np.int64(3), "share": np.float32(0.1)},
        {"visits": 3, "share": 1},
        {"visits": 3, "days": ["2020-12-31", dt.date(2021, 1, 1)]},
        {"visits": 3, "days": pd.to_datetime(["2020-12-31"]), "kinds": ["two"]},
        {"visits": 3, "days": iter(["2020-12-31"]), "out": Path("x"), "extra": {"a": 1}, "tell": print},
        # A literal that there is not is left to the function, whose message knows more.
        {"visits": 3, "kinds": ("three",), "table": pd.DataFrame()},
    ],
)
def test_what_fits_goes_through(given: dict[str, Any]) -> None:
    assert checked("2020-12-31", **given) == "2020-12-31"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"visits": "3"}, "visits must be a whole number; given the text '3'"),
        ({"visits": True}, "visits must be a whole number; given True"),
        ({"visits": 2.5}, "given the number 2.5"),
        ({"visits": 3, "share": None}, "share must be a number; given None"),
        (
            {"visits": 3, "days": 20201231},
            "must be a date .* or several of them or None; given the num",
        ),
        ({"visits": 3, "days": ["2020-12-31", 3]}, "given a list of the text '2020-12-31', the number 3"),
        ({"visits": 3, "days": pd.DataFrame({"as_of": []})}, "days must be a date .*; given a DataFrame"),
        ({"visits": 3, "kinds": "one"}, "kinds must be several of: 'one' or 'two'; given the text 'one'"),
        ({"visits": 3, "out": 7}, "out must be text or a path"),
        ({"visits": 3, "extra": [1]}, r"extra must be a mapping \(dict\) or None; given a list"),
        ({"visits": 3, "tell": "loud"}, "tell must be a function or None"),
        ({"visits": 3, "table": "a.csv"}, "table must be a pandas DataFrame or None; given the text 'a.csv'"),
        # All that is wrong is said at once.
        ({"visits": None, "out": None}, "visits must .*; out must"),
    ],
)
def test_what_does_not_fit_is_named_with_what_is_wanted(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=f"^plan: .*{said}"):
        checked("2020-12-31", **given)


@dataclass(frozen=True)
class Shape:
    name: str
    zh: str
    side: Literal["long", "short"]
    area: Callable[[float], float] | None = None
    tests: tuple[str, ...] = ()
    note: str = ""


def test_the_fields_of_a_declaration_are_held_to_their_types_and_needed_texts_are_not_empty() -> None:
    assert field_problems(Shape("square", "方", "long", area=abs, tests=("a",))) == []
    problems = field_problems(Shape("square", " ", "wide", area="abs", tests="a"))  # type: ignore[arg-type]
    assert problems == [
        "zh is empty", "side must be 'long' or 'short'; given the text 'wide'",
        "area must be a function or None; given the text 'abs'",
        "tests must be several of: text; given the text 'a'",
    ]  # fmt: skip
    assert "tests" in field_problems(Shape("square", "方", "long", tests=("a", 3)))[0]  # type: ignore[arg-type]
