"""Where each household stands at a moment: three accounted years, recent quarters, members, register.

Everything is `households.accounts`'s at that moment; nothing is accounted anew here. Quarters before
the year's end are accounting periods of three months, so a month that was not yet recorded is missing in the
same way for the past that a method learns from and for the present that it speaks of.
"""

from __future__ import annotations

import datetime as dt
import functools
import zlib
from collections.abc import Iterable, Sequence

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from riskmodel import rules
from riskmodel.data import County
from riskmodel.errors import UsageError
from riskmodel.households import (
    PREFIXES,
    AccountingPeriod,
    KnownCounty,
    Moment,
    known_county,
    last_complete_month,
    window_end,
)

KEY = ["household_id", "as_of"]
STATE = [
    "township", "village", "registration", "dibao", "persons", "labour", "net_income", "pcni",
    "previous_pcni", "before_previous_pcni", "income_wage", "rigid", "in_register", "has_risk", "main_cause",
    "income_basis", "income_reason", "period_to",
]  # fmt: skip
YEAR_AGO = 4  # quarters
QUARTERS = 6
QUARTER_NAMES = [f"q{k}" for k in range(QUARTERS)]
YEARS = ("pcni", "previous_pcni", "before_previous_pcni")
STEP = 6
MAX_ORIGINS = 5
MAX_YEARS = 20
FULL, SHORT, BROKEN, TOTALS, NOTHING = "full", "short", "broken", "totals", "none"


def forecast_origins(county: County, as_of: dt.date, horizon: int) -> list[dt.date]:
    """Return past days from which a forecast can be checked by as-of: the rows that methods learn from."""
    first = first_month(county, as_of)
    if first is None:
        return []
    late = dt.timedelta(days=county.about.recording_delay_days)
    origins: list[dt.date] = []
    for k in range(1, MAX_YEARS * 12 // STEP):
        day = window_end(as_of, -STEP * k)
        if last_complete_month(day) - 11 < first or len(origins) == MAX_ORIGINS:
            break
        if window_end(day, horizon) + late <= as_of:
            origins.append(day)
    return sorted(origins)


def first_month(county: County, known_by: dt.date) -> int | None:
    """Return the month ordinal in which the known records of income begin; None where there are none."""
    t = county.table("income")
    month = t.filter(t.known_on <= known_by).month_from.min().to_pyarrow().as_py()
    return None if month is None else int(month)


def household_histories(county: County, days: Sequence[dt.date], *, quarters: bool = True) -> pd.DataFrame:
    """Return each household's standing at each day, as it was known then."""
    known = known_county(county, days)
    # Of whom nobody is left has no income per head to forecast.
    year = known.accounts().filter(lambda t: t.persons > 0).select(*KEY, *STATE).to_pandas()
    if year.empty:
        raise UsageError(f"no household is known at {', '.join(map(str, days))}: give a later --as-of")
    year["as_of"] = pd.to_datetime(year["as_of"])
    recent = _quarters(known) if quarters else pd.DataFrame(columns=[*KEY, *QUARTER_NAMES])
    out = year.merge(recent.astype({"as_of": year["as_of"].dtype}), on=KEY, how="left", validate="one_to_one")
    last = out["as_of"].map({pd.Timestamp(m.as_of): last_complete_month(m.as_of) for m in known.moments})
    out["age_months"] = (last - out["period_to"]).astype(float)
    out = _only_whole_periods(county, out, last.to_numpy(dtype=float))
    out["history"] = _kind(out)
    # A plain order: what follows must not depend on the database's.
    return out.sort_values(["as_of", "household_id"], ignore_index=True)


def _only_whole_periods(county: County, t: pd.DataFrame, last: np.ndarray) -> pd.DataFrame:
    """Take back periods that begin before the county's records do: they look poor for want of rows."""
    first = first_month(county, t["as_of"].max().date())
    if first is None:
        return t
    spans = {c: (t["period_to"].to_numpy(dtype=float), 12 * (k + 1)) for k, c in enumerate(YEARS)}
    spans |= {f"q{k}": (last, 3 * (k + 1)) for k in range(QUARTERS)}
    for column, (end, back) in spans.items():
        t[column] = t[column].astype(float).where(end - back + 1 >= first)
    return t


def _quarters(known: KnownCounty) -> pd.DataFrame:
    # Nine months before a day is never another of them (`STEP`): both looks go in one accounting.
    both = ((0, 0), (3, -9))
    looks = {window_end(m.as_of, back): (m, first) for m in known.moments for first, back in both}
    moments = [Moment(day, m.known_by) for day, (m, _) in looks.items()]
    t = known_county(known.county, moments).accounts(AccountingPeriod(months=3))
    t = t.filter(t.income_basis == "months").select(*KEY, *(f"{p}net_income" for p in PREFIXES))
    quarters = t.to_pandas()
    quarters["as_of"] = pd.to_datetime(quarters["as_of"])
    parts = []
    for first in (0, 3):
        back_to = {pd.Timestamp(d): pd.Timestamp(m.as_of) for d, (m, k) in looks.items() if k == first}
        part = quarters[quarters["as_of"].isin(list(back_to))]
        names = {f"{p}net_income": f"q{first + k}" for k, p in enumerate(PREFIXES)}
        parts.append(part.assign(as_of=part["as_of"].map(back_to)).rename(columns=names))
    return parts[0].merge(parts[1], on=KEY, how="outer", validate="one_to_one")


def _kind(t: pd.DataFrame) -> pd.Series:
    years = t[list(YEARS)].notna()
    # Some sell once a year: a quarter is missing only where the same one a year ago was not, or where all
    # the quarters around it are there.
    known = {k: t[f"q{k}"].notna() for k in range(QUARTERS)}
    around = known[0] & known[1] & known[YEAR_AGO] & known[YEAR_AGO + 1]
    gap = (
        (~known[0] & known[YEAR_AGO]) | (~known[1] & known[YEAR_AGO + 1]) | (around & ~(known[2] & known[3]))
    )
    cases = [~years["pcni"], t["income_basis"].eq("total"), gap, ~years.all(axis=1)]
    return pd.Series(np.select(cases, [NOTHING, TOTALS, BROKEN, SHORT], FULL), t.index)


def later_incomes(county: County, pairs: Iterable[tuple[dt.date, int]], known_by: dt.date) -> pd.DataFrame:
    """Return what each household's income per head turned out to be."""
    periods = pd.DataFrame(
        [(pd.Timestamp(d), h, pd.Timestamp(window_end(d, h))) for d, h in pairs],
        columns=["as_of", "horizon_months", "end"],
    )
    if periods.empty:
        return pd.DataFrame(columns=[*KEY, "horizon_months", "actual"])
    known = known_county(county, [Moment(e.date(), known_by) for e in periods["end"].unique()])
    t = known.accounts().select(*KEY, "pcni", "period_to").to_pandas()
    end = pd.to_datetime(t.pop("as_of"))
    last = end.map({pd.Timestamp(m.as_of): last_complete_month(m.as_of) for m in known.moments})
    complete = t["pcni"].notna() & (t["period_to"] == last)
    t = t.assign(end=end)[complete].rename(columns={"pcni": "actual"})
    return t.merge(periods, on="end")[[*KEY, "horizon_months", "actual"]]


def line_at(county: County, ruleset: str | rules.RuleSet, as_of: dt.date, horizon: int) -> float:
    """Return the line that the forecast is held against, yuan a head and year.

    A relative line (a share of the county's own median) is not known ahead: as-of's stands for it.
    """
    end = window_end(as_of, horizon)
    chosen = rules.load_rules(ruleset)
    for day in (end, as_of):
        line = rules.poverty_lines(county, chosen, day)[day]
        if line is not None and np.isfinite(line):
            return float(line)
    raise UsageError(f"rule set {chosen.id} has no line at {end}; give another --ruleset")


def sample_households(county: County, as_of: dt.date, households: int, seed: int) -> County:
    """Return the county cut down to whole villages with about so many households."""
    own = county.table("households").filter(lambda t: t.known_on <= as_of)
    h = own.group_by("village").agg(n=own.household_id.nunique()).to_pandas()
    if h["n"].sum() <= households:
        return county
    # A checksum of the name: the same villages whatever order they are read in.
    h["order"] = [zlib.crc32(f"{seed}|{v}".encode()) for v in h["village"]]
    h = h.sort_values(["order", "village"])
    villages = h.loc[h["n"].cumsum() <= max(households, int(h["n"].iloc[0])), "village"]
    ids = own.filter(own.village.isin(list(villages))).select("household_id").distinct()
    wanted = ("households", "members", "income", "spending", "risk_events", "monitoring")
    tables: dict[str, ir.Table] = {
        n: county.table(n).semi_join(ids, "household_id") for n in wanted if county.has(n)
    }
    size = ("forecast.sampled", as_of, households, seed)
    cached = {n: county.once((*size, n), functools.partial(_same, t)) for n, t in tables.items()}
    return County(con=county.con, tables=cached, about=county.about)


def _same(t: ir.Table) -> ir.Table:
    return t
