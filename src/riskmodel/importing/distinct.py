"""The distinct values of a column: few beside its cells, so that each is looked at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

_NUMBERS = {bool, int, float}
_T = TypeVar("_T")


def of_each(values: Sequence[object], function: Callable[[Any], _T]) -> list[_T]:
    """Return what a function makes of each value, called once for each distinct one."""
    if len(set(map(type, values)) & _NUMBERS) < 2:
        made = {value: function(value) for value in dict.fromkeys(values)}
        return [made[value] for value in values]
    # 1, 1.0 and True are equal, and yet are not written alike.
    keys = list(zip(map(type, values), values, strict=True))
    by_type = {key: function(key[1]) for key in dict.fromkeys(keys)}
    return [by_type[key] for key in keys]


def distinct_values(values: Sequence[object]) -> list[object]:
    """Return the distinct values; equal ones of two types stay two."""
    return [value for _, value in dict.fromkeys(zip(map(type, values), values, strict=True))]
