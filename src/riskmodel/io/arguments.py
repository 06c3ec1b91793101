"""Hold what is handed in against its annotation: arguments of public functions, fields of declarations.

One table of rules reads the annotations that stand in the code anyway, so that a wrong type is answered where
it is handed in, in words, and not by whatever first fails on it further down.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import numbers
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar, Union

from riskmodel.errors import UsageError

P = ParamSpec("P")
R = TypeVar("R")

# Where a user gets what a public function takes, by the name of its class.
_FROM = {
    "County": "rm.read_county(DATA)",
    "KnownCounty": "rm.households.KnownCounty",
    "LoadedModel": 'rm.load_model("NAME@ALIAS", STORE)',
    "Experiment": "rm.load_experiment(ID)",
    "RuleSet": "rm.load_rules(ID)",
    "FeatureSet": "rm.features.load_feature_set(ID)",
    "HouseholdForecast": "rm.forecasting.forecast_households(…)",
    "ReportInput": "rm.presentation.read_run(RUN, STORE)",
}
# What looks like a county and is none yet.
_SIMULATED = (
    "; of a simulated one: rm.data.from_frames(made.frames, rm.data.About.model_validate(made.about))"
)
_NUMBERS: dict[Any, type] = {int: numbers.Integral, float: numbers.Real}
_SEVERAL = ("Sequence", "Iterable", "Collection", "list", "tuple", "set")
_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "True or False",
    "NoneType": "None",
    "Path": "a path",
    "date": "a date (datetime.date, or text such as '2020-12-31')",
    "Callable": "a function",
    "dict": "a mapping (dict)",
    "Mapping": "a mapping (dict)",
    "DataFrame": "a pandas DataFrame",
}


def check_arguments(function: Callable[P, R], module: str) -> Callable[P, R]:
    """Return a function that refuses arguments of a wrong type, naming each, before it runs.

    Parameters
    ----------
    function
        Its annotations say what it takes; literals are left to the function, whose message knows more.
    module
        The module that offers it, so that it can be pickled by that name.

    Returns
    -------
    callable
        With the same signature and documentation; raises `UsageError` where an argument does not fit.
    """
    signature = inspect.signature(function)

    @functools.cache
    def hints() -> dict[str, Any]:
        return typing.get_type_hints(function)

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        given = signature.bind(*args, **kwargs).arguments
        wrong = [
            f"{name} must be {_wanted(hint)}; given {_description(value)}{_remedy(value, hint)}"
            for name, value, hint in ((name, value, hints()[name]) for name, value in given.items())
            if not _fits(value, hint, exact=False)
        ]
        if wrong:
            raise UsageError(f"{function.__name__}: {'; '.join(wrong)}")
        return function(*args, **kwargs)

    checked.__module__ = module
    return checked


def field_problems(member: Any) -> list[str]:
    """Return what is wrong with the fields of a declaration (a dataclass), in words.

    Parameters
    ----------
    member
        Its annotations say what the fields hold. A text without a default must not be empty.

    Returns
    -------
    list of str
        One sentence a field; empty where all is well, and for what is no dataclass.
    """
    if not dataclasses.is_dataclass(member):
        return []
    hints = _field_types(type(member))
    problems = []
    for field in dataclasses.fields(member):
        value, hint = getattr(member, field.name), hints.get(field.name, Any)
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if not _fits(value, hint, exact=True):
            problems.append(f"{field.name} must be {_wanted(hint)}; given {_description(value)}")
        elif required and isinstance(value, str) and not value.strip():
            problems.append(f"{field.name} is empty")
    return problems


def _field_types(kind: type) -> dict[str, Any]:
    """Return the annotations of a class; none where one names what only type checkers import."""
    try:
        return typing.get_type_hints(kind)
    except NameError:
        return {}


def _fits(value: Any, hint: Any, exact: bool) -> bool:
    """Say whether a value is of a type; ``exact`` holds literals to their values, else to their type."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    kind = origin or hint
    if origin in (Union, types.UnionType):
        return any(_fits(value, one, exact) for one in arguments)
    if origin is Literal:
        return value in arguments if exact else isinstance(value, tuple({type(a) for a in arguments}))
    if kind in _NUMBERS:
        # numpy's numbers are numbers; True is none, though Python counts it as an int.
        return isinstance(value, _NUMBERS[kind]) and not isinstance(value, bool)
    if not isinstance(kind, type) or kind is Any:
        return True
    if kind.__module__ == "collections.abc" and issubclass(kind, Iterable) and not issubclass(kind, Mapping):
        # A text, a mapping and a table can be gone through too, but are never meant as "several".
        several = isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)
        return several and type(value).__name__ != "DataFrame" and _all_fit(value, arguments, exact)
    return isinstance(value, kind) and (kind is not tuple or _all_fit(value, arguments, exact))


def _all_fit(values: Any, arguments: tuple[Any, ...], exact: bool) -> bool:
    """Say whether each of several values is of a type; what can be read only once is not looked at."""
    if not arguments or not isinstance(values, list | tuple | set | frozenset):
        return True
    if isinstance(values, tuple) and Ellipsis not in arguments and len(arguments) > 1:
        return len(values) == len(arguments) and all(map(_fits, values, arguments, [exact] * len(values)))
    return all(_fits(one, arguments[0], exact) for one in values)


def _wanted(hint: Any) -> str:
    """Return what a type asks for, in words."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return _one_of(arguments)
    if origin is Literal:
        return " or ".join(repr(one) for one in arguments)
    name = getattr(origin or hint, "__name__", str(hint))
    if name in _SEVERAL:
        return f"several of: {_wanted(arguments[0])}" if arguments else "several"
    if name in _WORDS:
        return _WORDS[name]
    article = "an" if name[0] in "AEIOU" else "a"
    return f"{article} {name} ({_FROM[name]})" if name in _FROM else f"{article} {name}"


def _one_of(kinds: Iterable[Any]) -> str:
    """Return what a union asks for: one or several of some kinds are said once, and dates with their text."""
    names = {kind: getattr(typing.get_origin(kind) or kind, "__name__", "") for kind in kinds}
    single = {k: n for k, n in names.items() if n not in _SEVERAL and n != "NoneType"}
    dated = "date" in single.values()
    words = dict.fromkeys(_wanted(k) for k, n in single.items() if not (dated and n == "str"))
    if len(single) < len([n for n in names.values() if n != "NoneType"]):
        words["several of them"] = None
    if "NoneType" in names.values():
        words["None"] = None
    return " or ".join(words)


def _description(value: Any) -> str:
    """Return what was handed in, short."""
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return f"the text {value[:60]!r}"
    if isinstance(value, numbers.Number):
        return f"the number {value}"
    if isinstance(value, Path):
        return f"the path {value}"
    if isinstance(value, list | tuple | set) and value:
        inner = ", ".join(dict.fromkeys(_description(one) for one in list(value)[:3]))
        return f"a {type(value).__name__} of {inner}"
    return f"a {type(value).__name__}"


def _remedy(value: Any, hint: Any) -> str:
    """Return where what is wanted comes from, where what was given is a step before it."""
    names = {getattr(kind, "__name__", "") for kind in (hint, *typing.get_args(hint))}
    return _SIMULATED if "County" in names and type(value).__name__ == "SimulatedCounty" else ""
