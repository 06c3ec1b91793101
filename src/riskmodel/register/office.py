"""What office tables are made from, and how they are declared (``tables.yaml``).

Frames hold no totals, so that nothing is counted twice; what cannot be had by adding (households with at
least one of several measures) is a row named ``any``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from riskmodel.data import County
from riskmodel.households import accounts, point_in_time
from riskmodel.io.specs import Spec, load_spec
from riskmodel.register.persons import Presence, day_of
from riskmodel.register.register import STOCKS, causes_at, state_at
from riskmodel.register.words import Word, category_order

ANY = "any"
ALL = "all"


class TableSpec(Word):
    """One published table: number, names, where its layout comes from, what its percentages are of."""

    number: str
    source: str
    needs: tuple[str, ...]
    of: Word | None = None
    note: Word


class WorkLine(Word):
    """One line of the workload table and the contract table that it needs."""

    needs: str


class Declared(Spec):
    """All office tables and the words of their rows."""

    version: int
    bands: tuple[int, ...]
    tables: dict[str, TableSpec]
    dynamic: dict[str, Word]
    workload: dict[str, WorkLine]
    groups: dict[str, Word]


@cache
def declared() -> Declared:
    """Return the packaged declaration of the office tables (parsed once)."""
    return load_spec(Path(__file__).with_name("tables.yaml"), Declared)


@dataclass(frozen=True)
class Office:
    """What the tables are made from.

    Parameters
    ----------
    county : County
    first, last : date
        The period, both days included; everything is as known at ``last``.
    rows : DataFrame
        `riskmodel.register.register.history` with ``township``.
    people : Presence
        Of the register's households.
    lines, natural : DataFrame
        The ledger's (`riskmodel.register.flows`).
    """

    county: County
    first: dt.date
    last: dt.date
    rows: pd.DataFrame
    people: Presence
    lines: pd.DataFrame
    natural: pd.DataFrame

    @cached_property
    def categories(self) -> list[str]:
        """Every category that the ledger speaks of, in declared order."""
        return category_order(set(self.lines["category"]))

    @cached_property
    def listed(self) -> pd.DataFrame:
        """Households in the register at the end: ``household_id, state, category, causes, p``."""
        at = state_at(self.rows, self.last)
        at = at[at["state"].isin(STOCKS["ever"])].reset_index(drop=True)
        found = causes_at(self.rows, self.last)
        at["causes"] = [found.get(h, []) for h in at["household_id"]]
        at["p"] = self.people.count(at["household_id"], np.full(len(at), day_of(self.last)))
        return at

    @cached_property
    def households(self) -> pd.DataFrame:
        """All households at the end: ``household_id, township, registration, persons, pcni``."""
        columns = ["household_id", "township", "registration", "persons", "pcni"]
        built = accounts.build(self.county, point_in_time.moments(self.last)).select(*columns)
        return built.to_pandas().sort_values("household_id").reset_index(drop=True)


def grid(**levels: list[str]) -> pd.DataFrame:
    """Return every combination of levels, in the order given."""
    return (
        pd.MultiIndex.from_product(list(levels.values()), names=list(levels))
        .to_frame(index=False)
        .astype("str")
    )


def in_order(known: Iterable[str], found: pd.Series) -> list[str]:
    """Return the contract's codes, then others that were found (a county built in memory is unchecked)."""
    first = list(known)
    return first + sorted(set(found.dropna()) - set(first))


def counts(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Count households (each once) and persons ``p`` of rows by ``keys``."""
    return (
        rows.astype(dict.fromkeys(keys, "str"))
        .groupby(keys, sort=True)
        .agg(hh=("household_id", "nunique"), p=("p", "sum"))
        .reset_index()
    )


def fill(full: pd.DataFrame, counted: pd.DataFrame, keys: list[str], prefix: str) -> pd.DataFrame:
    """Put counts into a full grid; a combination that has none has 0, for the register is there."""
    renamed = counted.rename(columns={"hh": f"{prefix}hh", "p": f"{prefix}p"})
    out = full.merge(renamed, how="left", on=keys)
    columns = [f"{prefix}hh", f"{prefix}p"]
    out[columns] = out[columns].fillna(0).astype("int64")
    return out


def shares(out: pd.DataFrame, of: pd.Series) -> pd.DataFrame:
    """Add ``of_hh`` and ``share`` of it (missing where there is nothing to be a share of)."""
    of = of.fillna(0).astype("int64")
    return out.assign(of_hh=of, share=out["hh"] / of.where(of > 0))
