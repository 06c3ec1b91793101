"""Office tables 4 and 5: incomes of all households, and the work of finding who is at risk."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from riskmodel.households import point_in_time
from riskmodel.register.office import Office, counts, declared, fill, grid, shares
from riskmodel.register.register import WATCHED, within
from riskmodel.register.words import UNKNOWN

COMPARED_DIGITS = 9  # official rules, "Exactly": thresholds are compared after rounding to 9 decimals


def bands(office: Office) -> pd.DataFrame:
    """Table 4: households and persons by income band and township.

    Returns
    -------
    DataFrame
        ``township, group, band, hh, p, of_hh, share``: ``group`` is ``monitored`` (watched) or the
        registration of those not watched; ``band`` is ``below``, ``7000-8000`` …, ``above`` or ``unknown``.
    """
    edges = declared().bands
    names = band_names()
    every = office.households.rename(columns={"persons": "p"}).copy()
    watched = set(office.listed.loc[office.listed["state"] == WATCHED, "household_id"])
    every["group"] = every["registration"].where(~every["household_id"].isin(watched), "monitored")
    income = every["pcni"].astype("float64").round(COMPARED_DIGITS).to_numpy()
    place = np.digitize(income, edges)
    every["band"] = np.where(np.isnan(income), UNKNOWN, np.array(names)[np.minimum(place, len(names) - 2)])
    keys = ["township", "group", "band"]
    full = grid(township=sorted(set(every["township"])), group=list(declared().groups), band=names)
    out = fill(full, counts(every, keys), keys, "")
    return shares(out, out.groupby(["township", "group"])["hh"].transform("sum"))


def band_names() -> list[str]:
    """Return the bands of table 4 in order."""
    edges = declared().bands
    between = [f"{low}-{high}" for low, high in itertools.pairwise(edges)]
    return ["below", *between, "above", UNKNOWN]


def workload(office: Office) -> pd.DataFrame:
    """Table 5: warnings pushed, compared, checked; households visited, met, confirmed; newly identified.

    Returns
    -------
    DataFrame
        ``township, line, n``; ``n`` is missing where the table it needs is absent.
    """
    home = office.households.set_index("household_id")["township"]
    warned, visited = _warned(office), _visited(office)
    ids = {
        "warnings_pushed": warned["household_id"],
        "households_warned": warned["household_id"].drop_duplicates(),
        "households_compared": warned.loc[warned["compared"], "household_id"].drop_duplicates(),
        "households_checked": warned.loc[warned["checked"], "household_id"].drop_duplicates(),
        "households_visited": visited["household_id"].drop_duplicates(),
        "households_met": visited.loc[visited["outcome"] != "absent", "household_id"].drop_duplicates(),
        "households_confirmed": visited.loc[
            visited["outcome"] == "confirmed", "household_id"
        ].drop_duplicates(),
        "newly_identified": _entered(office)["household_id"].drop_duplicates(),
    }
    mapped = {line: found.map(home).astype(object) for line, found in ids.items()}
    places = {line: found.where(found.notna(), UNKNOWN) for line, found in mapped.items()}
    order = sorted({*home, *(UNKNOWN for found in places.values() if (found == UNKNOWN).any())})
    parts = []
    for line, found in places.items():
        n = found.value_counts().reindex(order, fill_value=0).astype("Int64")
        n = n if office.county.has(declared().workload[line].needs) else n.mask(n.notna())
        parts.append(pd.DataFrame({"township": order, "line": line, "n": n.to_numpy()}))
    return pd.concat(parts, ignore_index=True).astype({"n": "Int64"})


def _warned(office: Office) -> pd.DataFrame:
    t = point_in_time.known(office.county, "warnings", point_in_time.moments(office.last))
    t = t.filter((t.pushed_on >= office.first) & (t.pushed_on <= t.as_of))
    checked = (t.checked_on <= t.as_of).fill_null(False)
    compared = checked | (t.forwarded_on <= t.as_of).fill_null(False)
    return t.select("household_id", checked=checked, compared=compared).to_pandas()


def _visited(office: Office) -> pd.DataFrame:
    t = point_in_time.known(office.county, "visits", point_in_time.moments(office.last))
    return (
        t.filter((t.date >= office.first) & (t.date <= t.as_of)).select("household_id", "outcome").to_pandas()
    )


def _entered(office: Office) -> pd.DataFrame:
    rows = office.rows[within(office.rows, office.first, office.last)]
    return rows[(rows["event"] == "identified") & (rows["state_before"] != WATCHED)]
