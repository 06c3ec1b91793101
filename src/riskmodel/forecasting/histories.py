"""Where each household stands at a moment: three accounted years, recent quarters, members, register.

Everything is `households.accounts`'s at that moment; nothing is accounted anew here. A household's year and
the quarters before its end close with its last month on record: where records lag, the forecast reaches so
many months further, in the past that a method learns from as in the present that it speaks of. What is not
wholly on record is missing, and nobody is left out for it.
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
from riskmodel.data import County, county_links
from riskmodel.errors import UsageError
from riskmodel.households import (
    KnownCounty,
    Moment,
    known_county,
    last_complete_month,
    recent_sums,
    township_records,
    window_end,
)

KEY = ["household_id", "as_of"]
STATE = [
    "township", "village", "registration", "dibao", "persons", "labour", "net_income", "pcni",
    "previous_pcni", "before_previous_pcni", "income_wage", "rigid", "in_register", "has_risk", "main_cause",
    "income_basis", "income_reason", "period_to", "lag_months",
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
    """Return the month ordinal in which the records of half of the county's households have begun.

    The records of a township that joins later do not move it, nor does a single early row. None without any.
    """
    return county.once(("forecast.first month", known_by), lambda: _first_month(county, known_by))


def _first_month(county: County, known_by: dt.date) -> int | None:
    t = township_records(known_county(county, known_by)).dropna().sort_values("first", kind="stable")
    t = t[t["households"] > 0]
    if len(t):
        begun = t["households"].cumsum() * 2 >= t["households"].sum()
        return int(t.loc[begun, "first"].iloc[0])
    income = county.table("income")
    month = income.filter(income.known_on <= known_by).month_from.min().to_pyarrow().as_py()
    return None if month is None else int(month)


def household_histories(county: County, days: Sequence[dt.date], *, quarters: bool = True) -> pd.DataFrame:
    """Return each household's standing at each day, as it was known then."""
    known = known_county(county, days)
    recent = _quarters(known) if quarters else pd.DataFrame(columns=[*KEY, *QUARTER_NAMES])
    # Of whom nobody is left has no income per head to forecast; of whom it is not known who is left may have.
    year = known.accounts().filter(lambda t: (t.persons > 0) | t.persons.isnull())
    year = year.select(*KEY, *STATE).to_pandas()
    if year.empty:
        raise UsageError(f"no household is known at {', '.join(map(str, days))}: give a later --as-of")
    year["as_of"] = pd.to_datetime(year["as_of"])
    out = year.merge(recent.astype({"as_of": year["as_of"].dtype}), on=KEY, how="left", validate="one_to_one")
    out = out.astype(dict.fromkeys([*YEARS, *QUARTER_NAMES], float))
    out["age_months"] = out["lag_months"].astype(float)
    out["history"] = _kind(out)
    village = out.groupby(["as_of", "township", "village"], dropna=False)[list(YEARS)]
    out["village_known"] = village.transform("count").gt(0).any(axis=1)
    # A plain order: what follows must not depend on the database's.
    return out.sort_values(["as_of", "household_id"], ignore_index=True)


def _quarters(known: KnownCounty) -> pd.DataFrame:
    names = {f"part_{k}": name for k, name in enumerate(QUARTER_NAMES)}
    return recent_sums(known, 3, QUARTERS).rename(columns=names)


def _kind(t: pd.DataFrame) -> pd.Series:
    years = t[list(YEARS)].notna()
    # Some sell once a year: a quarter is missing only where the same one a year ago was not, or where all
    # the quarters around it are there.
    known = {k: t[f"q{k}"].notna() for k in range(QUARTERS)}
    around = known[0] & known[1] & known[YEAR_AGO] & known[YEAR_AGO + 1]
    gap = (
        (~known[0] & known[YEAR_AGO]) | (~known[1] & known[YEAR_AGO + 1]) | (around & ~(known[2] & known[3]))
    )
    cases = [
        ~years.any(axis=1), ~years["pcni"], t["income_basis"].eq("total"), gap, ~years.all(axis=1),
    ]  # fmt: skip
    return pd.Series(np.select(cases, [NOTHING, BROKEN, TOTALS, BROKEN, SHORT], FULL), t.index)


def later_incomes(county: County, pairs: Iterable[tuple[dt.date, int]], known_by: dt.date) -> pd.DataFrame:
    """Return what each household's income per head turned out to be."""
    periods = pd.DataFrame(
        [(pd.Timestamp(d), h, pd.Timestamp(window_end(d, h))) for d, h in pairs],
        columns=["as_of", "horizon_months", "end"],
    )
    if periods.empty:
        return pd.DataFrame(columns=[*KEY, "horizon_months", "actual"])
    known = known_county(county, [Moment(e.date(), known_by) for e in periods["end"].unique()])
    t = known.incomes().select(*KEY, "pcni", "period_to").to_pandas()
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
    inside = own.village.isin(list(villages))
    joined = _joined_numbers(county, own.filter(inside)) if county.has("household_links") else []
    ids = own.filter(inside | own.household_id.isin(joined)).select("household_id").distinct()
    # What says which months are on record, and which numbers are one household, goes with the rows.
    wanted = (
        "households", "members", "income", "spending", "risk_events", "monitoring", "recorded", "unrecorded",
        "doubts",
    )  # fmt: skip
    tables: dict[str, ir.Table] = {
        n: county.table(n).semi_join(ids, "household_id") for n in wanted if county.has(n)
    }
    if county.has("household_links"):
        links = county.table("household_links")
        tables["household_links"] = links.semi_join(ids, links.new_id == ids.household_id)
    size = ("forecast.sampled", as_of, households, seed)
    cached = {n: county.once((*size, n), functools.partial(_same, t)) for n, t in tables.items()}
    return County(con=county.con, tables=cached, about=county.about)


def _joined_numbers(county: County, sample: ir.Table) -> list[str]:
    """Return the numbers that links join with those of a sample, however many links lie between."""
    reached = set(sample.select("household_id").distinct().to_pandas()["household_id"])
    pairs = [{link.old, link.new} for link in county_links(county).rows]
    joined: set[str] = set()
    while more := {n for pair in pairs if pair & reached for n in pair} - reached:
        reached |= more
        joined |= more
    return sorted(joined)


def _same(t: ir.Table) -> ir.Table:
    return t
