"""Stock and flow accounts of the register over a period: balanced, or refused with the cell that is not.

Everything is counted in households and persons by township and category; margins are sums of these cells. Two
stocks run side by side: ``open`` (watched) and ``ever`` (watched or eliminated; struck off, in neither).
Persons are the members present on the day in question; arrivals and departures while a household stands in a
stock are natural change, by reason. The accounts are also given as plain values: whole, as a summary, and in
the form that offices publish.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd

from riskmodel.data import County, contract
from riskmodel.errors import InputRefused, UsageError
from riskmodel.households import (
    HOUSEHOLD_STATES,
    DateLike,
    KnownCounty,
    current_ids,
    known_county,
    to_date,
)
from riskmodel.register import history, office_tables
from riskmodel.register.history import (
    NONE,
    STOCKS,
    Presence,
    dated_within,
    read_presence,
    state_at,
    to_day,
    to_days,
)
from riskmodel.register.office_tables import RegisterPeriod
from riskmodel.register.vocabulary import UNKNOWN, in_line_order, register_vocabulary

CELL = ["stock", "township", "category"]
COLUMNS = [*CELL, "line", "hh", "p"]
Place = Literal["township", "village"]
PLACE_SIGN = "\u3000"  # between a township and its village where villages are counted


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
        entrants = now[~before & after]
        # The one way into the register but not under watch: eliminated without having been identified.
        line = entrants["event"].where(entrants["event"] != "eliminated", "unidentified")
        leavers = now[before & ~after]
        changed = now[before & after & (now["category"] != now["category_before"])]
        parts += [
            entrants.assign(stock=name, line=line),
            leavers.assign(stock=name, line=leavers["event"], category=leavers["category_before"]),
            changed.assign(stock=name, line="reclassified_in"),
            changed.assign(stock=name, line="reclassified_out", category=changed["category_before"]),
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
    located = pd.merge_asof(changes, timeline, on="date", by="household_id", allow_exact_matches=False)
    located["state"] = located["state"].fillna(NONE)
    located = located.merge(_townships(rows), on="household_id")
    parts = [located[located["state"].isin(states)].assign(stock=name) for name, states in STOCKS.items()]
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
    return in_line_order(out, CELL)


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


def known_places(known: KnownCounty, households: pd.Series, by: Place = "township") -> pd.Series:
    """Return where each household lives as known by a day; ``unknown`` where it has no state then."""
    states = known.rows(HOUSEHOLD_STATES).select("household_id", "township", "village").to_pandas()
    place = states["township"] if by == "township" else states["township"] + PLACE_SIGN + states["village"]
    out = households.map(place.set_axis(states["household_id"])).astype(object)
    unknown = UNKNOWN if by == "township" else f"{UNKNOWN}{PLACE_SIGN}{UNKNOWN}"
    return out.where(out.notna(), unknown)


def _townships(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[["household_id", "township"]].drop_duplicates("household_id")


def _sum(frame: pd.DataFrame) -> pd.DataFrame:
    # Text also where there is no row, so that an empty register gives empty accounts.
    keys = [*CELL, "line"]
    text = frame.astype(dict.fromkeys(keys, "str"))
    return text.groupby(keys, sort=True)[["hh", "p"]].sum().astype("int64").reset_index()


FORMAT = "riskmodel-ledger/1"
FINDING_COLUMNS = (
    "finding", "household_id", "township", "date", "event", "earlier_event", "earlier_date", "in_period",
    *history.MONTH_ONLY,
)  # fmt: skip


@dataclass(frozen=True, repr=False)
class RegisterAccounts(RegisterPeriod):
    """Stock and flow accounts of the register over a period, as known at its end.

    Parameters
    ----------
    known
        The county as known at the end.
    first
        First day of the period; the opening stock is that of the end of the day before.
    last
        Last day of the period, and the day up to which rows are known.
    rows
        The register's rows in the order in which they hold, with the states around each.
    presence
        Members present in the register's households on any day.
    lines
        ``stock, township, category, line, hh, p``: households and persons, one row a line of every cell.
    natural
        Natural change of persons: ``stock, township, category, direction, reason, p``.
    findings
        ``finding, household_id, township, date, event, earlier_event, earlier_date, in_period``.
    """

    findings: pd.DataFrame

    @cached_property
    def tables(self) -> Mapping[str, pd.DataFrame]:
        """Office tables by id (``tables.yaml``), tidy and without totals; made when first asked for."""
        return office_tables.build_office_tables(self)

    @cached_property
    def data_fingerprint(self) -> str:
        """Content hash of the rows known at the end."""
        return self.known.fingerprint

    def __repr__(self) -> str:
        """Return the period, and how many households are watched at its end."""
        closing = _lines(self, "open", {})["closing"]["hh"]
        return f"RegisterAccounts({self.first} to {self.last}, {closing} households watched at the end)"


def build_register_accounts(
    county: County | KnownCounty, from_: DateLike, to: DateLike, *, by: Place = "township"
) -> RegisterAccounts:
    """Build the stock and flow accounts of the register over a period, with the office tables.

    Everything is as known at ``to``. The opening as known on its own day stands in the line ``opening_then``,
    what was recorded or corrected since in ``restated``. Townships are those of ``to``.

    Parameters
    ----------
    county
        A county with the table ``monitoring``, or a `riskmodel.households.KnownCounty` of the last day.
    from_, to
        First and last day, both included: dates or ISO text.
    by : {"township", "village"}
        Smallest place that is counted; a village stands in the column ``township`` as township, an
        ideographic space and village.

    Returns
    -------
    RegisterAccounts
        Lines that balance, findings, and the office tables (made when first asked for).

    Raises
    ------
    UsageError
        If a date cannot be read, or the period ends before it begins.
    InputRefused
        If the county has no register, or a cell does not balance; the message says which.

    References
    ----------
    Official rules, "Life cycle of a monitored household".
    """
    first, last = _period(from_, to)
    known = known_county(county, last)
    if not known.has("monitoring"):
        named = f"'monitoring' ({contract().tables['monitoring'].zh})"
        raise InputRefused(f"no table {named}: there is no register to balance; add the table")
    rows = history.register_history(known)
    rows["township"] = known_places(known, rows["household_id"], by)
    presence = read_presence(known, rows["household_id"])
    natural = count_natural_change(rows, presence, first, last)
    parts = [
        _opening_then(known_county(known.county, day_before(first)), rows, known, by),
        count_stocks(rows, presence, day_before(first), "opening"),
        count_flows(rows, presence, first, last),
        count_stocks(rows, presence, last, "closing"),
    ]
    lines = assemble_lines(parts, natural)
    _refuse_imbalance(lines)
    findings = _findings(rows, presence, first, last)
    return RegisterAccounts(known, first, last, rows, presence, lines, natural, findings)


def _period(from_: DateLike, to: DateLike) -> tuple[dt.date, dt.date]:
    first, last = to_date(from_), to_date(to)
    if last < first:
        raise UsageError(f"the period {first} to {last} ends before it begins; give the earlier day as from")
    return first, last


def _opening_then(
    known: KnownCounty, rows: pd.DataFrame, later: KnownCounty, by: Place = "township"
) -> pd.DataFrame:
    """Return the opening as it was known on its own day, in the townships of the later one."""
    then = history.register_history(known)
    township = _townships(rows).set_index("household_id")["township"]
    number = current_ids(later, then["household_id"])
    missing = ~number.isin(township.index)
    then["township"] = number.map(township).astype(object)
    if missing.any():
        # A correction may have moved a household's only row beyond the period; it still had a township.
        then.loc[missing, "township"] = known_places(known, then.loc[missing, "household_id"], by)
    return count_stocks(then, read_presence(known, then["household_id"]), known.as_of, "opening_then")


def _refuse_imbalance(lines: pd.DataFrame) -> None:
    wrong = find_imbalances(lines)
    if len(wrong):
        cells = "; ".join(
            f"{r.stock}/{r.township}/{r.category}: {r.hh:+d} households, {r.p:+d} persons"
            for r in wrong.itertuples()
        )
        raise InputRefused(f"the register does not balance (closing less the lines before it): {cells}")


def _findings(rows: pd.DataFrame, presence: Presence, first: dt.date, last: dt.date) -> pd.DataFrame:
    """Return contradictory rows, and watched households in which nobody is left."""
    contradictions = history.find_contradictions(rows)
    at = rows.drop_duplicates("household_id", keep="last")
    at = at[at["state"] == history.WATCHED]
    empty = at[presence.count(at["household_id"], np.full(len(at), to_day(last))) == 0]
    columns = ["household_id", "date", "event", "earlier_event", "earlier_date", *history.MONTH_ONLY]
    out = pd.concat([contradictions, empty[columns].assign(finding="no_members")], ignore_index=True)
    out["township"] = out["household_id"].map(_townships(rows).set_index("household_id")["township"])
    out["in_period"] = history.dated_within(out, first, last)
    out = out.sort_values(["household_id", "date", "finding"], kind="stable").reset_index(drop=True)
    return out[list(FINDING_COLUMNS)]


def summarise_accounts(accounts: RegisterAccounts) -> dict[str, Any]:
    """Return a summary: the open stock's lines in households and persons, and how many findings.

    Parameters
    ----------
    accounts
        Of `build_register_accounts`.

    Returns
    -------
    dict
        ``from, to, balanced, opening … closing`` (each ``{hh, p}``; natural change ``{p}``), ``findings``,
        ``tables`` (ids made), ``data_fingerprint``.
    """
    total = _lines(accounts, "open", {})
    return {
        "from": str(accounts.first),
        "to": str(accounts.last),
        "balanced": True,
        **total,
        "findings": len(accounts.findings),
        "tables": list(accounts.tables),
        "data_fingerprint": accounts.data_fingerprint,
    }


def accounts_as_dict(accounts: RegisterAccounts) -> dict[str, Any]:
    """Return all accounts as plain values, as ``ledger.json`` holds them.

    Parameters
    ----------
    accounts
        Of `build_register_accounts`.

    Returns
    -------
    dict
        ``total``, ``categories`` and ``townships`` (each with the open stock's lines, and the other stock's
        under ``ever``), ``natural_change``, ``findings``, ``tables`` (records) and ``published`` (the form
        that `check_published` reads).
    """
    categories = {c: _both(accounts, {"category": c}) for c in accounts.categories}
    townships = {t: _both(accounts, {"township": t}) for t in sorted(set(accounts.lines["township"]))}
    return {
        "format": FORMAT,
        "from": str(accounts.first),
        "to": str(accounts.last),
        "known_by": str(accounts.last),
        "balanced": True,
        "data_fingerprint": accounts.data_fingerprint,
        "total": _both(accounts, {}),
        "categories": categories,
        "townships": townships,
        "natural_change": _records(accounts.natural),
        "findings": _records(dates_in_words(accounts.findings)),
        "tables": {name: _records(frame) for name, frame in accounts.tables.items()},
        "published": published_form(accounts),
    }


def dates_in_words(findings: pd.DataFrame) -> pd.DataFrame:
    """Return findings with their dates as text, those known to the month alone as months.

    Parameters
    ----------
    findings
        Of `RegisterAccounts`.
    """
    out = findings.copy()
    for name, only in zip(("date", "earlier_date"), history.MONTH_ONLY, strict=True):
        days = out[name].astype("datetime64[s]")
        text = days.dt.strftime("%Y-%m-%d").where(~out.pop(only).astype(bool), days.dt.strftime("%Y-%m"))
        out[name] = text.astype(object).where(days.notna(), None)
    return out


def _both(accounts: RegisterAccounts, where: dict[str, str]) -> dict[str, Any]:
    return {**_lines(accounts, "open", where), "ever": _lines(accounts, "ever", where)}


def _lines(accounts: RegisterAccounts, stock: str, where: dict[str, str]) -> dict[str, dict[str, int]]:
    some = accounts.lines[accounts.lines["stock"] == stock]
    for column, value in where.items():
        some = some[some[column] == value]
    sums = counts_by_key(
        some.groupby("line", sort=False)[["hh", "p"]].sum().reset_index(), ["line"], ["hh", "p"]
    )
    out = {}
    for line, spec in register_vocabulary().lines.items():
        hh, p = sums.get((line,), [0, 0])
        out[line] = {"p": p} if spec.persons_only else {"hh": hh, "p": p}
    return out


def published_form(accounts: RegisterAccounts) -> dict[str, Any]:
    """Return the accounts in the form that offices publish and `check_published` reads.

    ``total`` is everyone ever identified and not struck off, ``eliminated`` and ``remaining`` how they stand
    at the end, ``identified`` who was new in the period; causes are main causes and add up to ``total``.

    Parameters
    ----------
    accounts
        Of `build_register_accounts`.

    Returns
    -------
    dict
        ``period, unit, categories, total, causes``; counts are households ``hh`` and persons ``p``, shares of
        households in per cent.
    """
    rows = {c: _published_row(accounts, {"category": c}) for c in accounts.categories}
    whole = _published_row(accounts, {})
    out: dict[str, Any] = {
        "period": f"{accounts.first}/{accounts.last}",
        "unit": {"hh": "households", "p": "persons"},
        "categories": rows,
        "total": whole,
    }
    causes = accounts.tables["causes"]
    sums = causes[causes["stock"] == "ever"].groupby("cause", sort=False)[["hh", "p"]].sum()
    out["causes"] = {c: {"hh": int(r["hh"]), "p": int(r["p"])} for c, r in sums.iterrows() if r["hh"]}
    if not out["causes"]:
        del out["causes"]
    for row in rows.values():
        if whole["total"]["hh"]:
            row["share_pct"] = round(100 * row["total"]["hh"] / whole["total"]["hh"], 1)
    return out


def _published_row(accounts: RegisterAccounts, where: dict[str, str]) -> dict[str, Any]:
    ever, still = _lines(accounts, "ever", where), _lines(accounts, "open", where)
    total, remaining = ever["closing"], still["closing"]
    return {
        "total": total,
        "eliminated": {unit: total[unit] - remaining[unit] for unit in ("hh", "p")},
        "remaining": remaining,
        "identified": still["identified"],
    }


def _records(frame: Any) -> list[dict[str, Any]]:
    """Return a frame as records: dates as text, missing as null."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [{k: _plain(v) for k, v in row.items()} for row in plain.to_dict("records")]


def _plain(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()[:10]
    return value.item() if hasattr(value, "item") else value


def counts_by_key(
    frame: pd.DataFrame, keys: list[str], values: list[str]
) -> dict[tuple[str, ...], list[int]]:
    """Return counts by their keys, as plain numbers.

    Parameters
    ----------
    frame
        One row a combination of keys.
    keys, values
        Columns of the frame.

    Returns
    -------
    dict
        Values of ``keys`` to the counts in the order of ``values``.
    """
    rows = frame[[*keys, *values]].itertuples(index=False, name=None)
    return {row[: len(keys)]: [int(v) for v in row[len(keys) :]] for row in rows}
