"""Stocks and flows of the register over a period, in households and persons, at the finest grain.

Everything is counted by township and category; margins are sums of these cells. Two stocks run side by
side: ``open`` (watched) and ``ever`` (watched or eliminated; whoever was struck off is gone from both).
Persons are the members present on the day spoken of; what comes and goes while a household stands in a
stock is natural change, told by reason.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

from riskmodel.register.persons import Presence, days_of
from riskmodel.register.register import NONE, STOCKS, state_at, within
from riskmodel.register.words import UNKNOWN, book

CELL = ["stock", "township", "category"]
COLUMNS = [*CELL, "line", "hh", "p"]


def day_before(day: dt.date) -> dt.date:
    """Return the eve of a day."""
    return day - dt.timedelta(days=1)


def stock(rows: pd.DataFrame, people: Presence, day: dt.date, line: str) -> pd.DataFrame:
    """Count both stocks at the end of a day.

    Parameters
    ----------
    rows : DataFrame
        `riskmodel.register.register.history` with ``township``.
    people : Presence
    day : date
    line : str
        What the count is called (``opening``, ``closing`` …).

    Returns
    -------
    DataFrame
        ``stock, township, category, line, hh, p``: households and persons.
    """
    at = state_at(rows, day).merge(rows[["household_id", "township"]].drop_duplicates("household_id"))
    at["p"] = people.count(at["household_id"], np.full(len(at), np.datetime64(day, "D").astype(np.int64)))
    parts = [
        at[at["state"].isin(states)].assign(stock=name, line=line, hh=1) for name, states in STOCKS.items()
    ]
    return _sum(pd.concat(parts, ignore_index=True))


def movements(rows: pd.DataFrame, people: Presence, first: dt.date, last: dt.date) -> pd.DataFrame:
    """Count what the register's rows of a period did to both stocks.

    A row counts under its own event where it brings a household into a stock or takes it out; a row that
    finds the household already there moves nothing (and is a finding).

    Parameters
    ----------
    rows, people
        As in `stock`.
    first, last : date
        Both days included.

    Returns
    -------
    DataFrame
        As `stock`; reclassified households stand in two lines.
    """
    now = rows[within(rows, first, last)].copy()
    now["hh"], now["p"] = 1, people.count(now["household_id"], days_of(now["date"]))
    parts = []
    for name, states in STOCKS.items():
        before, after = now["state_before"].isin(states), now["state"].isin(states)
        entered = now[~before & after]
        # The one way into the register but not under watch: eliminated without having been identified.
        line = entered["event"].where(entered["event"] != "eliminated", "unidentified")
        left = now[before & ~after]
        moved = now[before & after & (now["category"] != now["category_before"])]
        parts += [
            entered.assign(stock=name, line=line),
            left.assign(stock=name, line=left["event"], category=left["category_before"]),
            moved.assign(stock=name, line="reclassified_in"),
            moved.assign(stock=name, line="reclassified_out", category=moved["category_before"]),
        ]
    return _sum(pd.concat(parts, ignore_index=True))


def natural_change(rows: pd.DataFrame, people: Presence, first: dt.date, last: dt.date) -> pd.DataFrame:
    """Count persons who came to and went from households while these stood in a stock.

    Parameters
    ----------
    rows, people, first, last
        As in `movements`.

    Returns
    -------
    DataFrame
        ``stock, township, category, direction, reason, p``.
    """
    opening = state_at(rows, day_before(first)).assign(date=pd.Timestamp(day_before(first)))
    columns = ["household_id", "date", "state", "category"]
    timeline = pd.concat([opening[columns], rows.loc[within(rows, first, last), columns]], ignore_index=True)
    # Stable, so that of several rows of one day the last one holds.
    timeline["date"] = timeline["date"].astype("datetime64[s]")
    timeline = timeline.sort_values("date", kind="stable")
    changes = people.changes(day_before(first), last).sort_values("date", kind="stable")
    # A change on the day of a row comes before it: the row counts the members present on its day.
    placed = pd.merge_asof(changes, timeline, on="date", by="household_id", allow_exact_matches=False)
    placed["state"] = placed["state"].fillna(NONE)
    placed = placed.merge(
        rows[["household_id", "township"]].drop_duplicates("household_id"), on="household_id"
    )
    parts = [placed[placed["state"].isin(states)].assign(stock=name) for name, states in STOCKS.items()]
    keys = [*CELL, "direction", "reason"]
    every = pd.concat(parts, ignore_index=True)[keys].astype("str")
    return every.groupby(keys, sort=True).size().rename("p").reset_index()


def lines(parts: list[pd.DataFrame], natural: pd.DataFrame) -> pd.DataFrame:
    """Join counts to the ledger's lines: every line of every cell that anything is counted in.

    Parameters
    ----------
    parts : list of DataFrame
        Of `stock` (``opening_then``, ``opening``, ``closing``) and `movements`.
    natural : DataFrame
        Of `natural_change`.

    Returns
    -------
    DataFrame
        ``stock, township, category, line, hh, p``, sorted by cell and the declared order of lines; ``hh``
        is missing where a line has persons only.
    """
    born = natural.assign(line="natural_" + natural["direction"], hh=0)
    counted = _sum(pd.concat([*parts, born[[*COLUMNS]]], ignore_index=True))
    cells = counted[CELL].drop_duplicates()
    full = cells.merge(pd.DataFrame({"line": list(book().lines)}), how="cross")
    out = full.merge(counted, how="left", on=[*CELL, "line"])
    out[["hh", "p"]] = out[["hh", "p"]].fillna(0).astype("int64")
    wide = {
        line: out.loc[out["line"] == line, ["hh", "p"]].to_numpy() for line in ("opening", "opening_then")
    }
    out.loc[out["line"] == "restated", ["hh", "p"]] = wide["opening"] - wide["opening_then"]
    return _ordered(out)


def breaches(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the cells of a ledger that do not balance.

    Parameters
    ----------
    frame : DataFrame
        Of `lines`.

    Returns
    -------
    DataFrame
        ``stock, township, category, hh, p``: closing less what the other lines give; empty if all balance.

    References
    ----------
    Official rules, "Life cycle": closing = opening + identified + rolled_back + re_marked − eliminated −
    removed (± natural change, persons only).
    """
    sign = frame["line"].map({line: word.sign for line, word in book().lines.items()}).astype("int64")
    effect = sign.where(frame["line"] != "closing", -1)
    gap = frame[CELL].copy()
    gap[["hh", "p"]] = -frame[["hh", "p"]].mul(effect, axis=0)
    out = gap.groupby(CELL, sort=True)[["hh", "p"]].sum().reset_index()
    return out[(out["hh"] != 0) | (out["p"] != 0)].reset_index(drop=True)


def margin(frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Sum a ledger's lines over everything but ``by``.

    Parameters
    ----------
    frame : DataFrame
        Of `lines`.
    by : list of str
        Of ``stock, township, category``.

    Returns
    -------
    DataFrame
        ``*by, line, hh, p``.
    """
    out = frame.groupby([*by, "line"], sort=False)[["hh", "p"]].sum().reset_index()
    order = {line: i for i, line in enumerate(book().lines)}
    return out.sort_values([*by, "line"], key=lambda c: c.map(order) if c.name == "line" else c).reset_index(
        drop=True
    )


def townships(county: Any, households: pd.Series, known_by: dt.date) -> pd.Series:
    """Return each household's township as known by a day; ``unknown`` where it has no state then."""
    from riskmodel.households import point_in_time

    frame = (
        point_in_time.households(county, point_in_time.moments(known_by))
        .select("household_id", "township")
        .to_pandas()
    )
    known = frame.set_index("household_id")["township"]
    found = households.map(known).astype(object)
    return found.where(found.notna(), UNKNOWN)


def _sum(frame: pd.DataFrame) -> pd.DataFrame:
    # Text also where there is no row, so that an empty register makes an empty ledger.
    keys = [*CELL, "line"]
    text = frame.astype(dict.fromkeys(keys, "str"))
    return text.groupby(keys, sort=True)[["hh", "p"]].sum().astype("int64").reset_index()


def _ordered(out: pd.DataFrame) -> pd.DataFrame:
    order = {line: i for i, line in enumerate(book().lines)}
    out = out.assign(_line=out["line"].map(order)).sort_values([*CELL, "_line"], kind="stable")
    return out.drop(columns="_line").reset_index(drop=True)[COLUMNS]
