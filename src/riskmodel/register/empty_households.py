"""Households of whom nobody is present: a natural change that is recorded, or one to be cleared up first.

That nobody is on record is no proof that nobody is there. Only where every member's leaving is recorded with
an official reason, and nothing on record speaks against it, does a household go to 自然变更; all others are
asked about by telephone and then visited.
"""

from __future__ import annotations

import datetime as dt

import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from riskmodel.data import Shape, fetch_frame
from riskmodel.households import PRESENT_MEMBERS, KnownCounty
from riskmodel.register.history import read_presence

NATURAL_CHANGE, TO_CLARIFY = "natural_change", "to_clarify"
# Why a person leaves for good; a word that nobody declared, a lost person, an entry taken back are none.
CLEAR_REASONS = ("died", "married_out", "moved_out", "imprisoned", "enlisted")
# Why a household is to be cleared up, the first that holds.
WHY = ("no_members", "row_rejected", "linked", "no_reason", "income_since", "event_since", "visited_since")
COLUMNS = ("household_id", "state", "why", "left_on", "reasons")


def find_empty_households(known: KnownCounty) -> pd.DataFrame:
    """Return the households of whom nobody is present, and whether that is clear.

    Parameters
    ----------
    known
        The county as known at one day.

    Returns
    -------
    DataFrame
        One row a household: ``household_id``; ``state``, ``natural_change`` or ``to_clarify``; ``why`` it
        is to be cleared up (`WHY`; empty where it is not); ``left_on``, the day on which the last member left
        (NaT: nobody was ever there); ``reasons``, codes of why members left, joined with ``;``.
    """
    empty = fetch_frame(known, _empty, accounts=known.accounts())["household_id"].astype(str)
    out = pd.DataFrame({"household_id": sorted(empty)})
    if out.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    changes = read_presence(known, out["household_id"]).changes(dt.date(1900, 1, 1), known.as_of)
    gone = changes[changes["direction"] == "decrease"].groupby("household_id")
    left = gone.agg(left_on=("date", "max"), reasons=("reason", lambda r: ";".join(sorted(set(r)))))
    out = out.merge(left, on="household_id", how="left")
    out["left_on"] = pd.to_datetime(out["left_on"])
    out["reasons"] = out["reasons"].astype(object).where(out["reasons"].notna(), "")
    clear = [set(r.split(";")) <= set(CLEAR_REASONS) for r in out["reasons"]]
    ids = pa.table({"household_id": pa.array(out["household_id"].tolist(), pa.string())})
    since = {
        "income_since": _last(fetch_frame(known, _months, ids=ids), "month"),
        "event_since": _last(fetch_frame(known, _days, "risk_events", ids=ids), "date"),
        "visited_since": _last(fetch_frame(known, _met, ids=ids), "date"),
    }
    held = {
        "no_members": out["left_on"].isna(),
        "row_rejected": out["household_id"].isin(_with_losses(known)),
        "linked": out["household_id"].isin(_linked(known)),
        "no_reason": ~pd.Series(clear, index=out.index),
        **{name: _days_of(out, d) > out["left_on"] for name, d in since.items()},
    }
    out["why"] = ""
    for name in reversed(WHY):
        out.loc[held[name].fillna(False), "why"] = name
    out["state"] = out["why"].map(lambda why: TO_CLARIFY if why else NATURAL_CHANGE)
    return out[list(COLUMNS)]


def _empty(county: Shape, accounts: ir.Table) -> ir.Table:
    t = accounts.select("household_id", "persons")
    there = county.rows(PRESENT_MEMBERS).select("household_id").distinct()
    # Where a row of members could not be used the number of persons is not known, but somebody may be there.
    return t.filter((t.persons == 0) | t.persons.isnull()).anti_join(there, "household_id").select(
        "household_id"
    )  # fmt: skip


def _months(county: Shape, ids: ir.Table) -> ir.Table:
    t = county.rows("income").semi_join(ids, "household_id")
    t = t.filter((t.amount > 0) & (t.month_from == t.month_to))
    return t.group_by("household_id").agg(month=t.month_from.max())


def _days(county: Shape, table: str, ids: ir.Table) -> ir.Table:
    t = county.rows(table).semi_join(ids, "household_id")
    return t.filter(t.date <= t.as_of).group_by("household_id").agg(date=t.date.max())


def _met(county: Shape, ids: ir.Table) -> ir.Table:
    t = county.rows("visits").semi_join(ids, "household_id")
    return (
        t.filter((t.date <= t.as_of) & (t.outcome != "absent"))
        .group_by("household_id")
        .agg(date=t.date.max())
    )


def _days_of(households: pd.DataFrame, days: dict[str, pd.Timestamp]) -> pd.Series:
    return pd.Series(
        [days.get(i, pd.NaT) for i in households["household_id"]], households.index, dtype="datetime64[s]"
    )


def _last(rows: pd.DataFrame, column: str) -> dict[str, pd.Timestamp]:
    """Return the latest day of each household; of a month its first: it began after the leaving."""
    if column == "month":
        days = pd.to_datetime({"year": rows["month"] // 12, "month": rows["month"] % 12 + 1, "day": 1})
    else:
        days = pd.to_datetime(rows["date"])
    return dict(zip(rows["household_id"].astype(str), days, strict=True))


def _with_losses(known: KnownCounty) -> set[str]:
    """Return the households of whom a row was known by then that could not be used."""
    losses = known.county.losses
    known_on = pd.to_datetime(losses["known_on"])
    return set(losses.loc[known_on <= pd.Timestamp(known.as_of), "household_id"].dropna().astype(str))


def _linked(known: KnownCounty) -> set[str]:
    """Return the numbers that a link names, old and new."""
    if not known.has("household_links"):
        return set()
    links = known.county.frame("household_links")
    links = links[pd.to_datetime(links["known_on"]) <= pd.Timestamp(known.as_of)]
    return set(links["old_id"].astype(str)) | set(links["new_id"].astype(str))
