"""From which date on each quantity, rule set and feature set can be had, township by township.

A month end counts once at least half of the households valid then have every sum that is asked for, as known
on that day: before it, most verdicts and features are unknown. What was said of the county's coverage and
what is inferred, and how far households lie behind, stand beside it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from riskmodel.data import County, FurtherCheck, month_end, month_ordinal
from riskmodel.errors import InputRefused
from riskmodel.households.build_records import known_records
from riskmodel.households.coverage import OPEN
from riskmodel.households.income import IncomeAccounts
from riskmodel.households.known_records import KnownRecords
from riskmodel.households.panel import read_records
from riskmodel.households.periods import AccountingPeriod
from riskmodel.households.point_in_time import Moment, last_complete_month
from riskmodel.i18n import LANGUAGES, Language, section, text

AVAILABILITY_FILE = "availability.csv"
MOST_MONTHS = 48  # looked at after the first year on record
LAGS = ("0", "1", "2", "3", "more", "none")
_SAID_TOWNSHIPS = 12


@dataclass(frozen=True)
class Need:
    """What a quantity, a rule set or a feature set takes of the records.

    Parameters
    ----------
    kind
        ``quantity``, ``ruleset`` or ``feature_set``.
    period
        The accounting period.
    sums
        Of ``income`` (net income of the period), ``previous`` (of the one before) and ``rigid``.
    window
        Months that must be on record up to the last completed one; 0 for none.
    follows_lag
        Whether that window ends with the accounting period instead.
    indicators
        Items of table ``indicators``: what is made of a panel's own items is not to be had where more than
        half of them are absent.
    """

    kind: str
    period: AccountingPeriod = field(default_factory=AccountingPeriod)
    sums: tuple[str, ...] = ("income",)
    window: int = 0
    follows_lag: bool = False
    indicators: tuple[str, ...] = ()


QUANTITIES = {
    "pcni": Need("quantity"),
    "previous_pcni": Need("quantity", sums=("income", "previous")),
    "rigid": Need("quantity", sums=("rigid",)),
    "24-month windows": Need("quantity", sums=(), window=24),
}


@dataclass(frozen=True)
class Availability:
    """From when things can be had, and what the records say of themselves.

    Parameters
    ----------
    dates
        ``township, kind, name, from`` (text, empty where no month end has it), ``share`` of the households
        that have it at ``as_of``.
    as_of
        The last month end of the records.
    coverage
        Households whose months on record are ``stated`` by table ``recorded``, by ``about.yaml``,
        ``inferred``, or that have only ``totals``.
    lags
        Households by how many months their period lies behind: `LAGS`.
    unknown
        Households without a net income, by reason.
    """

    dates: pd.DataFrame
    as_of: dt.date
    coverage: dict[str, int]
    lags: dict[str, int]
    unknown: dict[str, int]


def find_availability(county: County, needs: Mapping[str, Need]) -> Availability | None:
    """Return from which month end each of ``needs`` can be had; None for a county without any income.

    Parameters
    ----------
    county
        The checked tables.
    needs
        By name; `QUANTITIES` are added. What is made of indicators that the county does not have is left out.
    """
    try:
        last = last_complete_month(county.data_through)
    except InputRefused:
        return None
    items = _indicator_items(county)
    possible = {k: n for k, n in needs.items() if 2 * len(items & {*n.indicators}) >= len({*n.indicators})}
    wanted = QUANTITIES | possible
    as_of = month_end(last)
    first = _first_month(county)
    ends = list(range(max(first + 11, last - 240), last))[:MOST_MONTHS]
    moments = [Moment(month_end(m), month_end(m)) for m in [*ends, last]]
    names = known_townships(county)
    since: dict[tuple[str, str], dt.date] = {}
    waiting = {(place, name) for place in names for name in wanted}
    for known in known_records(county, moments):
        if not waiting and known.moment.as_of < as_of:
            continue
        shares = _shares(known, wanted)
        for key in [key for key in waiting if shares.get(key, 0.0) >= 0.5]:
            since[key] = known.moment.as_of
            waiting.discard(key)
    rows = [
        {
            **{"township": place, "kind": need.kind, "name": name},
            **{"from": since[place, name].isoformat() if (place, name) in since else ""},
            "share": round(shares.get((place, name), 0.0), 4),
        }
        for place in names
        for name, need in wanted.items()
    ]
    dates = pd.DataFrame(rows, columns=["township", "kind", "name", "from", "share"])
    return Availability(dates, as_of, _coverage(known), *_lags(known))


def known_townships(county: County) -> list[str]:
    """Return the townships that households ever lived in."""
    found = county.table("households").township.to_pyarrow().unique().to_pylist()
    return sorted(name for name in found if name)


def _indicator_items(county: County) -> set[str]:
    if not county.has("indicators"):
        return set()
    return set(county.table("indicators").item.to_pyarrow().unique().to_pylist())


def _first_month(county: County) -> int:
    months = [county.table("income").month_from.min().to_pyarrow().as_py()]
    if county.has("recorded"):
        months.append(county.table("recorded").month_from.min().to_pyarrow().as_py())
    return max(min(m for m in months if m is not None), month_ordinal(1950, 1))


def _shares(known: KnownRecords, needs: Mapping[str, Need]) -> dict[tuple[str, str], float]:
    """Return the share of each township's valid households that have each thing."""
    places = known.places
    here = np.where(places.valid & places.known, places.township[:, -1], -1)
    n = len(places.names)
    all_of = np.bincount(here[here >= 0], minlength=n)
    accounts: dict[AccountingPeriod, IncomeAccounts] = {}
    done: dict[Need, np.ndarray] = {}
    out: dict[tuple[str, str], float] = {}
    for name, need in needs.items():
        if need not in done:
            own = accounts.setdefault(need.period, IncomeAccounts(known, need.period))
            done[need] = _have(known, own, need)
        have = np.bincount(here[(here >= 0) & done[need]], minlength=n)
        out |= {(places.names[i], name): have[i] / all_of[i] for i in range(n) if all_of[i]}
    return out


def _have(known: KnownRecords, accounts: IncomeAccounts, need: Need) -> np.ndarray:
    """Return which households have what is needed at a moment."""
    have = np.ones(known.households, bool)
    if need.sums:
        have &= accounts.usable
    for name in need.sums:
        if name == "rigid":
            have &= accounts.sums().spending_known
        else:
            have &= accounts.sums(("income", "previous").index(name)).net_known
    if need.window:
        stop = np.full(known.households, known.last_month + 1)
        if need.follows_lag:
            have &= accounts.usable
            stop = accounts.period.end + 1
        for table in known.tables:
            have &= known.on_record(table, stop - need.window, stop)
            have &= ~known.taken_off(table, stop - need.window, stop)
    return have


def _present(known: KnownRecords) -> np.ndarray:
    return np.asarray(known.places.valid & known.places.known)


def _coverage(known: KnownRecords) -> dict[str, int]:
    present, on = _present(known), known.on
    stated = on.stated["income"]
    named = on.named[known.places.township[:, -1]]
    has_total = np.zeros(known.households, bool)
    has_total[known.totals["income"].household] = True
    only_totals = has_total & (on.first_row == OPEN)
    groups = {
        "recorded": stated,
        "about": ~stated & named & ~only_totals,
        "totals": ~stated & only_totals,
        "inferred": ~stated & ~named & ~only_totals,
    }
    return {name: int((mask & present).sum()) for name, mask in groups.items()}


def _lags(known: KnownRecords) -> tuple[dict[str, int], dict[str, int]]:
    accounts, present = IncomeAccounts(known, AccountingPeriod()), _present(known)
    period = accounts.period
    lag = period.lag[present & period.chosen]
    lags = {str(k): int((lag == k).sum()) for k in range(4)}
    lags |= {"more": int((lag > 3).sum()), "none": int((present & ~period.chosen).sum())}
    columns = accounts.columns()
    frame = pd.DataFrame({"net": columns["net_income"], "why": columns["records_reason"]})[present]
    why = frame.loc[frame["net"].isna(), "why"].value_counts()
    return lags, {str(k): int(n) for k, n in why.items()}


def availability_check(needs: Mapping[str, Need]) -> Callable[[County], FurtherCheck]:
    """Return the check of availability as `riskmodel.data.check_county` takes it.

    Parameters
    ----------
    needs : mapping
        Name of a rule set or feature set to what it takes of the records.

    Returns
    -------
    callable
        County to `FurtherCheck`: key ``availability`` with ``as_of, coverage, lag_months, unknown, dates``
        (township → kind → name → date or null); file ``availability.csv``.
    """

    def further(county: County) -> FurtherCheck:
        found = find_availability(county, needs)
        if found is None or not len(read_records(county).ids):
            return FurtherCheck("availability", {}, {language: [] for language in LANGUAGES})
        dates: dict[str, dict[str, dict[str, str | None]]] = {}
        for row in found.dates.to_dict("records"):
            kinds = dates.setdefault(row["township"], {})
            kinds.setdefault(row["kind"], {})[row["name"]] = row["from"] or None
        figures: dict[str, Any] = {
            **{"as_of": found.as_of.isoformat(), "coverage": found.coverage, "lag_months": found.lags},
            **{"unknown": found.unknown, "dates": dates},
        }
        told = {language: availability_sentences(found, language) for language in LANGUAGES}
        return FurtherCheck("availability", figures, told, {AVAILABILITY_FILE: found.dates})

    return further


def availability_sentences(result: Availability, lang: Language) -> list[str]:
    """Say what was stated or inferred of the records, how late they are, and from when what can be had."""
    day, separator = result.as_of.isoformat(), text("common.separators.list", lang)
    lines = [text("data.availability.coverage", lang, **result.coverage)]
    lags = {f"lag_{name}": n for name, n in result.lags.items()}
    lines.append(text("data.availability.lags", lang, day=day, **lags))
    if result.unknown:
        words = section("rules.reasons", lang)
        shown = separator.join(f"{words.get(why, why)} {n}" for why, n in result.unknown.items())
        lines.append(text("data.availability.unknown", lang, day=day, what=shown))
    for kind, some in result.dates.groupby("kind", sort=False):
        words = section("data.availability.quantities", lang) if kind == "quantity" else {}
        # What can be had from the same days stands together.
        by_days: dict[str, list[str]] = {}
        for name, rows in some.groupby("name", sort=False):
            by_days.setdefault(_when(rows, lang), []).append(words.get(str(name), str(name)))
        parts = [
            text("data.availability.names", lang, when=when, names=separator.join(names))
            for when, names in sorted(by_days.items())
        ]
        shown = text("common.separators.clause", lang).join(parts)
        called = text(f"data.availability.{kind}", lang)
        lines.append(text("data.availability.from", lang, kind=called, when=shown))
    return lines


def _when(rows: pd.DataFrame, lang: Language) -> str:
    """Return the dates of one thing, townships of one date together."""
    never, separator = text("data.availability.never", lang), text("common.separators.list", lang)
    parts = []
    for day, some in rows.groupby("from", sort=True):
        places = list(some["township"])
        shown = separator.join(places[:_SAID_TOWNSHIPS]) + ("…" if len(places) > _SAID_TOWNSHIPS else "")
        whole = text("data.levels.everywhere", lang)
        said = whole if len(some) == len(rows) else shown
        parts.append(text("data.availability.day", lang, day=str(day) or never, places=said))
    return separator.join(parts)
