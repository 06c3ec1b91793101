"""Stocks and flows of the register over a period, in households and persons, at the finest grain.

Everything is counted by township and category; margins are sums of these cells. Two stocks run side by
side: ``open`` (watched) and ``ever`` (watched or eliminated; whoever was struck off is gone from both).
Persons are the members present on the day in question; arrivals and departures while a household stands in a
stock are natural change, by reason.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from riskmodel.data import County
from riskmodel.households import as_moments, known_households
from riskmodel.register.events import NONE, STOCKS, dated_within, state_at
from riskmodel.register.presence import Presence, to_day, to_days
from riskmodel.register.vocabulary import UNKNOWN, register_vocabulary

CELL = ["stock", "township", "category"]
COLUMNS = [*CELL, "line", "hh", "p"]


def day_before(day: dt.date) -> dt.date:
    """Return the day before."""
    return day - dt.timedelta(days=1)


def count_stocks(rows: pd.DataFrame, presence: Presence, day: dt.date, line: str) -> pd.DataFrame:
    """Count both stocks at the end of a day: ``stock, township, category, line, hh, p``."""
    at = state_at(rows, day).merge(_townships(rows))
    at["p"] = presence.count(at["household_id"], np.full(len(at), to_day(day)))
    parts = [
        at[at["state"].isin(states)].assign(stock=name, line=line, hh=1) for name, states in STOCKS.items()
    ]
    return _sum(pd.concat(parts, ignore_index=True))


def count_flows(rows: pd.DataFrame, presence: Presence, first: dt.date, last: dt.date) -> pd.DataFrame:
    """Count what the register's rows of a period did to both stocks; columns as `count_stocks`.

    A row counts under its own event where it brings a household into a stock or takes it out; a row that
    finds the household already there moves nothing (and is a finding). Reclassified households stand in two
    lines.
    """
    now = rows[dated_within(rows, first, last)].copy()
    now["hh"], now["p"] = 1, presence.count(now["household_id"], to_days(now["date"]))
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


def count_natural_change(
    rows: pd.DataFrame, presence: Presence, first: dt.date, last: dt.date
) -> pd.DataFrame:
    """Count natural change in households of a stock: ``stock, township, category, direction, reason, p``."""
    opening = state_at(rows, day_before(first)).assign(date=pd.Timestamp(day_before(first)))
    columns = ["household_id", "date", "state", "category"]
    timeline = pd.concat(
        [opening[columns], rows.loc[dated_within(rows, first, last), columns]], ignore_index=True
    )
    # Stable, so that of several rows of one day the last one holds.
    timeline["date"] = timeline["date"].astype("datetime64[s]")
    timeline = timeline.sort_values("date", kind="stable")
    changes = presence.changes(day_before(first), last).sort_values("date", kind="stable")
    # A change on the day of a row comes before it: the row counts the members present on its day.
    placed = pd.merge_asof(changes, timeline, on="date", by="household_id", allow_exact_matches=False)
    placed["state"] = placed["state"].fillna(NONE)
    placed = placed.merge(_townships(rows), on="household_id")
    parts = [placed[placed["state"].isin(states)].assign(stock=name) for name, states in STOCKS.items()]
    keys = [*CELL, "direction", "reason"]
    every = pd.concat(parts, ignore_index=True)[keys].astype("str")
    return every.groupby(keys, sort=True).size().rename("p").reset_index()


def assemble_lines(parts: list[pd.DataFrame], natural: pd.DataFrame) -> pd.DataFrame:
    """Join counts to every line of every cell that anything is counted in; ``hh`` is 0 for natural change."""
    change = natural.assign(line="natural_" + natural["direction"], hh=0)
    counted = _sum(pd.concat([*parts, change[[*COLUMNS]]], ignore_index=True))
    cells = counted[CELL].drop_duplicates()
    full = cells.merge(pd.DataFrame({"line": list(register_vocabulary().lines)}), how="cross")
    out = full.merge(counted, how="left", on=[*CELL, "line"])
    out[["hh", "p"]] = out[["hh", "p"]].fillna(0).astype("int64")
    opening, opening_then, restated = (
        out["line"] == line for line in ("opening", "opening_then", "restated")
    )
    units = ["hh", "p"]
    out.loc[restated, units] = out.loc[opening, units].to_numpy() - out.loc[opening_then, units].to_numpy()
    return _in_line_order(out, CELL)


def find_imbalances(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the cells that do not balance, with closing less what the other lines give (``hh, p``).

    References
    ----------
    Official rules, "Life cycle": closing = opening + identified + rolled_back + re_marked − eliminated −
    removed (± natural change, persons only).
    """
    signs = {line: spec.sign for line, spec in register_vocabulary().lines.items()} | {"closing": -1}
    effect = frame["line"].map(signs).astype("int64")
    gap = frame[CELL].copy()
    gap[["hh", "p"]] = -frame[["hh", "p"]].mul(effect, axis=0)
    out = gap.groupby(CELL, sort=True)[["hh", "p"]].sum().reset_index()
    return out[(out["hh"] != 0) | (out["p"] != 0)].reset_index(drop=True)


def sum_lines(frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Sum lines over everything but ``by`` (of ``stock, township, category``): ``*by, line, hh, p``."""
    return _in_line_order(frame.groupby([*by, "line"], sort=False)[["hh", "p"]].sum().reset_index(), by)


def townships_known_by(county: County, households: pd.Series, known_by: dt.date) -> pd.Series:
    """Return each household's township as known by a day; ``unknown`` where it has no state then."""
    known = known_households(county, as_moments(known_by))
    townships = known.select("household_id", "township").to_pandas().set_index("household_id")["township"]
    out = households.map(townships).astype(object)
    return out.where(out.notna(), UNKNOWN)


def _townships(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[["household_id", "township"]].drop_duplicates("household_id")


def _sum(frame: pd.DataFrame) -> pd.DataFrame:
    # Text also where there is no row, so that an empty register gives empty accounts.
    keys = [*CELL, "line"]
    text = frame.astype(dict.fromkeys(keys, "str"))
    return text.groupby(keys, sort=True)[["hh", "p"]].sum().astype("int64").reset_index()


def _in_line_order(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Sort by keys, then by the declared order of lines."""
    order = {line: i for i, line in enumerate(register_vocabulary().lines)}
    out = frame.sort_values(
        [*keys, "line"], key=lambda c: c.map(order) if c.name == "line" else c, kind="stable"
    )
    return out.reset_index(drop=True)[[*keys, "line", "hh", "p"]]
