"""Office tables 1 to 3: the register by cause, by what happened, and by the measures it was given."""

from __future__ import annotations

import numpy as np
import pandas as pd

from riskmodel.data import codes
from riskmodel.households import point_in_time
from riskmodel.register.flows import margin
from riskmodel.register.office import ALL, ANY, Office, counts, declared, fill, grid, in_order, shares
from riskmodel.register.register import STOCKS
from riskmodel.register.words import UNKNOWN


def causes(office: Office) -> pd.DataFrame:
    """Table 1: households and persons by category and main cause; further causes apart.

    Returns
    -------
    DataFrame
        ``stock, category, cause, hh, p, also_hh, also_p``, every category with every cause; the cause is
        ``unknown`` where the register names none.
    """
    every = office.listed.assign(main=[c[0] if c else UNKNOWN for c in office.listed["causes"]])
    order = [*in_order(codes("risk_events", "cause"), every["causes"].explode()), UNKNOWN]
    parts = []
    for name, states in STOCKS.items():
        some = every[every["state"].isin(states)]
        further = some.drop(columns="main").explode("causes").rename(columns={"causes": "cause"})
        further = further.merge(some[["household_id", "main"]], on="household_id")
        # A cause named twice is one cause, and the main one is no further one.
        further = further[further["cause"].notna() & (further["cause"] != further["main"])]
        also = counts(further.drop_duplicates(["household_id", "cause"]), ["category", "cause"])
        main = counts(some.rename(columns={"main": "cause"}), ["category", "cause"])
        full = fill(grid(category=office.categories, cause=order), main, ["category", "cause"], "")
        parts.append(fill(full, also, ["category", "cause"], "also_").assign(stock=name))
    out = pd.concat(parts, ignore_index=True)
    return out[["stock", "category", "cause", "hh", "p", "also_hh", "also_p"]]


def dynamic(office: Office) -> pd.DataFrame:
    """Table 2: what happened to the register in the period, and what remains.

    Returns
    -------
    DataFrame
        ``category, line, hh, p`` (``hh`` 0 where a line has persons only); the line ``registered`` of
        category ``all`` counts lifted households, which shares are of.
    """
    cells = margin(office.lines, ["stock", "category"]).set_index(["stock", "category", "line"])
    source = {
        **{e: ("open", e) for e in ("identified", "rolled_back", "re_marked", "eliminated")},
        **{e: ("ever", e) for e in ("removed", "label_withdrawn", "natural_increase", "natural_decrease")},
        "remaining": ("open", "closing"),
        "total": ("ever", "closing"),
    }
    out = []
    for category in office.categories:
        got = {line: _cell(cells, (stock, category, name)) for line, (stock, name) in source.items()}
        got["eliminated_stock"] = got["total"] - got["remaining"]
        for line in declared().dynamic:
            out.append({"category": category, "line": line, "hh": got[line][0], "p": got[line][1]})
    lifted = office.households[office.households["registration"] == "lifted"]
    out.append({"category": ALL, "line": "registered", "hh": len(lifted), "p": int(lifted["persons"].sum())})
    return pd.DataFrame(out)


def natural(office: Office) -> pd.DataFrame:
    """Table 2 continued: persons who came and went while their household stood in the register.

    Returns
    -------
    DataFrame
        ``category, direction, reason, p``.
    """
    ever = office.natural[office.natural["stock"] == "ever"]
    return ever.groupby(["category", "direction", "reason"], sort=True)["p"].sum().reset_index()


def _supported(office: Office) -> pd.DataFrame:
    """Return measures in force in the period for households of the register, one row a measure."""
    t = point_in_time.known(office.county, "support", point_in_time.moments(office.last))
    t = t.filter((t.date <= t.as_of) & (t.end_date.isnull() | (t.end_date >= office.first)))
    rows = t.select("household_id", "measure").to_pandas()
    return rows.merge(office.listed, on="household_id", how="inner")


def measures(office: Office) -> pd.DataFrame:
    """Table 3: measures by category, with coverage.

    Returns
    -------
    DataFrame
        ``category, measure, hh, p, items, of_hh, share``: households (each once), persons, measures
        recorded, households of the category in the register, and the share of these.
    """
    of = counts(office.listed, ["category"]).set_index("category")["hh"]
    out = _by_measure(_supported(office), "category", office.categories)
    return shares(out, out["category"].map(of))


def single_cause(office: Office) -> pd.DataFrame:
    """Table 3 continued: measures by cause, of households with one cause alone.

    Returns
    -------
    DataFrame
        ``cause, measure, hh, p, items, of_hh, share``.
    """
    one = office.listed[office.listed["causes"].map(len) == 1]
    one = one.assign(cause=one["causes"].map(lambda c: c[0]))
    rows = _supported(office).drop(columns="causes").merge(one[["household_id", "cause"]], on="household_id")
    of = counts(one, ["cause"]).set_index("cause")["hh"]
    out = _by_measure(rows, "cause", in_order(codes("risk_events", "cause"), one["cause"]))
    return shares(out, out["cause"].map(of))


def _by_measure(rows: pd.DataFrame, by: str, order: list[str]) -> pd.DataFrame:
    keys = [by, "measure"]
    twice = pd.concat([rows, rows.assign(measure=ANY)], ignore_index=True)
    items = twice.groupby(keys, sort=True).size().rename("items").reset_index()
    once = counts(twice.drop_duplicates(["household_id", "measure"]), keys)
    full = grid(**{by: order, "measure": [*in_order(codes("support", "measure"), rows["measure"]), ANY]})
    full = fill(full, once, keys, "").merge(items, how="left", on=keys)
    return full.assign(items=full["items"].fillna(0).astype("int64"))


def _cell(cells: pd.DataFrame, key: tuple[str, str, str]) -> np.ndarray:
    return (
        cells.loc[key, ["hh", "p"]].to_numpy(dtype="int64")
        if key in cells.index
        else np.zeros(2, dtype="int64")
    )
