"""The ranges of parameters: what a unit allows, or what the declaration says."""

from __future__ import annotations

import pytest

from riskmodel.errors import UsageError
from riskmodel.rules import load_rules
from riskmodel.rules.declaration import Parameter, resolve_parameters


def parameter(value: object, unit: str, **more: object) -> Parameter:
    return Parameter(value=value, unit=unit, zh="", en="", source="own", **more)


@pytest.mark.parametrize(
    ("declared", "given", "says"),
    [
        (parameter(5000, "元/人/年", kind="line"), "-5", r"-5 is outside the range above 0 \(元/人/年\)"),
        (parameter(5000, "元/人/年", kind="line"), "0", "above 0"),  # nobody lies below a line of zero
        (parameter(0.5, "份额"), "1.2", "from 0 to 1"),
        (parameter(0.5, "份额", at_most=0.8), "0.9", "from 0 to 0.8"),  # the declaration is narrower
        (parameter(16, "周岁"), "200", "from 0 to 120"),
        (parameter(12, "月", kind="whole", at_least=1), "0", "from 1"),
        (parameter({2020: 4000.0}, "元/人/年", kind="table"), "{2020: 4000, 2021: -1}", "from 0"),
    ],
)
def test_a_value_outside_its_range_is_refused_and_told_the_range(
    declared: Parameter, given: str, says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        resolve_parameters({"p": declared}, {"p": given}, "own")


def test_the_ends_of_a_range_are_inside() -> None:
    share = parameter(0.5, "份额")
    assert [resolve_parameters({"p": share}, {"p": v}, "own")["p"] for v in ("0", "1")] == [0, 1]


def test_a_packaged_set_refuses_a_negative_line() -> None:
    with pytest.raises(UsageError, match="national-2021: parameter line: -5 is outside"):
        load_rules("national-2021").values({"line": "-5"})
