"""The names that rules may use: household quantities and the rows behind them (``vocabulary.yaml``)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

from riskmodel.io.specs import Spec, load

Kind = Literal["yuan", "share", "ratio", "count", "flag", "code", "date"]


class Quantity(Spec):
    """A household quantity: how its value is told, its names, and what one below zero is called."""

    kind: Kind
    zh: str
    en: str
    negative_zh: str | None = None
    negative_en: str | None = None


class Relation(Spec):
    """Rows of a household that a rule can look through, by the contract table they come from."""

    table: str
    zh: str
    en: str
    fields: tuple[str, ...]


class Vocabulary(Spec):
    """All quantities and relations."""

    quantities: dict[str, Quantity]
    relations: dict[str, Relation]


@cache
def vocabulary() -> Vocabulary:
    """Return the packaged vocabulary (parsed once).

    Examples
    --------
    >>> vocabulary().quantities["pcni"].zh
    '人均纯收入'
    """
    return load(Path(__file__).with_name("vocabulary.yaml"), Vocabulary)
