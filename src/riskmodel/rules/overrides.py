"""What a command says of a rule set's line and parameters, for all years or from one on; one way for all."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from typing import Any

from riskmodel.errors import UsageError
from riskmodel.rules.declaration import RelativeLine, RuleSet

_YEAR = re.compile(r"[12][0-9]{3}")


def read_overrides(
    ruleset: RuleSet,
    param: Iterable[str] | None = None,
    line: Iterable[str] | None = None,
    days: Iterable[dt.date] | None = None,
    base: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the parameters that ``--param`` and ``--line`` give a rule set, checked against it.

    Parameters
    ----------
    ruleset
        Whose line and parameters they are.
    param
        ``NAME=VALUE``; ``NAME@YEAR=VALUE`` holds from that year on, until the next year that is given. A
        value of no year holds in the years before.
    line
        ``YUAN`` or ``YEAR=YUAN``: the same of the parameter that is the set's line.
    days
        The days that are judged: a year that none of them, nor the twelve months before one, lies in is
        refused. None: any year may be given.
    base
        Parameters that hold where nothing is given, such as those a model was trained with.

    Returns
    -------
    dict
        Name to value, as every ``params`` takes them.

    Raises
    ------
    UsageError
        If a text is not of these forms, a name comes twice or is unknown, a value is wrong, a parameter is
        asked for by year that has no years, or a year is not looked at.

    Examples
    --------
    >>> from riskmodel.rules import load_rules
    >>> national = load_rules("national-2021")
    >>> read_overrides(national, ["sudden_causes=illness,disaster"], ["2022=6300"])
    {'sudden_causes': ['illness', 'disaster'], 'line': {0: 6000, 2022: 6300}}
    """
    whole: dict[str, str] = {}
    yearly: dict[str, dict[int, str]] = {}
    for name, year, value in (*map(_param, param or ()), *(_line(ruleset, text) for text in line or ())):
        held = whole if year is None else yearly.setdefault(name, {})
        key: Any = name if year is None else year
        if key in held:
            said = name if year is None else f"{name}@{year}"
            raise UsageError(f"--param {said} is given twice")
        held[key] = value
    _check_years(yearly, days)
    texts = {**(base or {}), **whole}
    unknown = dict.fromkeys(yearly.keys() - ruleset.parameters.keys())
    values = ruleset.values(texts | unknown)
    out = {name: values[name] for name in texts}
    for name, years in yearly.items():
        out[name] = _by_year(ruleset, name, values[name], years)
    return out


def _param(text: str) -> tuple[str, int | None, str]:
    """Return name, year and value of ``NAME=VALUE`` or ``NAME@YEAR=VALUE``."""
    named, sign, value = text.partition("=")
    name, at, year = (part.strip() for part in named.partition("@"))
    if not sign or not name or (at and not _YEAR.fullmatch(year)):
        raise UsageError(f"--param {text!r}: write NAME=VALUE, or NAME@YEAR=VALUE from a year on")
    return name, int(year) if at else None, value.strip()


def _line(ruleset: RuleSet, text: str) -> tuple[str, int | None, str]:
    """Return the line's parameter, year and value of ``YUAN`` or ``YEAR=YUAN``."""
    year, sign, value = (part.strip() for part in text.rpartition("="))
    if not value or (sign and not _YEAR.fullmatch(year)):
        raise UsageError(f"--line {text!r}: write YUAN, or YEAR=YUAN from a year on")
    if ruleset.line not in ruleset.parameters:
        raise UsageError(f"the line of {ruleset.id} is {ruleset.line}: give its parts by --param")
    return ruleset.line, int(year) if sign else None, value


def _check_years(yearly: Mapping[str, Mapping[int, str]], days: Iterable[dt.date] | None) -> None:
    """Refuse a year that no day, nor the twelve months before one, lies in."""
    if days is None:
        return
    looked_at = sorted({day.year - back for day in days for back in (0, 1)})
    for name, years in yearly.items():
        for year in sorted(set(years) - set(looked_at)):
            known = ", ".join(map(str, looked_at))
            raise UsageError(
                f"{name} of {year}: nothing of that year is judged here, but of {known}; leave it out"
            )


def _by_year(ruleset: RuleSet, name: str, value: Any, years: Mapping[int, str]) -> dict[int, Any]:
    """Return a parameter by year: what it is, and what it becomes from the years that are given."""
    parameter = ruleset.parameters[name]
    if parameter.kind not in ("line", "table"):
        raise UsageError(
            f"{ruleset.id}: parameter {name} holds for all years; only lines and tables go by year"
        )
    if isinstance(value, RelativeLine):
        raise UsageError(
            f"{ruleset.id}: parameter {name} moves with the county's incomes, not by year; give an amount "
            "of no year as well"
        )
    made = dict(value) if isinstance(value, dict) else {0: value}
    for year, text in sorted(years.items()):
        whole = ruleset.values({name: text})[name]
        amount = whole.get(0) if isinstance(whole, dict) else whole
        if not isinstance(amount, int | float):
            raise UsageError(f"{ruleset.id}: parameter {name} of {year}: {text!r} is not an amount")
        made[year] = amount
    return dict(sorted(made.items()))
