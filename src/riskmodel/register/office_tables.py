"""The tables that offices publish: declared in ``tables.yaml``, one function each (`TABLES`).

Tables 1 to 3 are of the register (causes, movements, measures), 4 and 5 of the county (incomes, workload).
Frames hold no totals, so that nothing is counted twice; what is no sum (households with at least one of
several measures) is a row named ``any``. Counts are households ``hh`` and persons ``p``.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from riskmodel.data import codes
from riskmodel.households import KnownCounty
from riskmodel.i18n import Words, section
from riskmodel.io import Spec, parse_spec, read_yaml
from riskmodel.register.history import STOCKS, WATCHED, Presence, causes_at, dated_within, state_at, to_day
from riskmodel.register.vocabulary import UNKNOWN, in_line_order, order_categories

ANY = "any"
ALL = "all"
COMPARED_DIGITS = 9  # official rules, "Exactly": thresholds are compared after rounding to 9 decimals


class OfficeTableSpec(Words):
    """One published table: its names, number and source, the contract tables it needs, how to read it."""

    number: str
    source: str
    needs: tuple[str, ...]
    of: Words | None = None
    note: Words


class WorkloadLine(Words):
    """One line of the workload table and the contract table that it needs."""

    needs: str


class OfficeTableSpecs(Spec):
    """All office tables, income band edges in yuan, and lines and groups of their rows in order, named."""

    bands: tuple[int, ...]
    tables: dict[str, OfficeTableSpec]
    dynamic: dict[str, Words]
    workload: dict[str, WorkloadLine]
    groups: dict[str, Words]


@cache
def office_table_specs() -> OfficeTableSpecs:
    """Return the packaged declaration of the office tables with their names (parsed once).

    Returns
    -------
    OfficeTableSpecs
        ``bands`` (edges in yuan a person and year), ``tables``, and in their order the lines of the tables
        ``dynamic`` and ``workload`` and the ``groups`` of table ``bands``.
    """
    path = Path(__file__).with_name("tables.yaml")
    declared, words, lines = read_yaml(path), section("register.tables"), section("register.table_lines")
    notes = {
        name: {part: words[name][part] for part in ("of", "note") if part in words[name]} for name in words
    }
    parts = {
        "bands": declared["bands"],
        "tables": {n: table | words[n]["name"] | notes[n] for n, table in declared["tables"].items()},
        "dynamic": {line: lines["dynamic"][line] for line in declared["dynamic"]},
        "workload": {n: lines["workload"][n] | {"needs": needs} for n, needs in declared["workload"].items()},
        "groups": {group: lines["groups"][group] for group in declared["groups"]},
    }
    return parse_spec(parts, OfficeTableSpecs, path)


@dataclass(frozen=True)
class RegisterPeriod:
    """A county and its register over a period, both days included, as known at its end."""

    known: KnownCounty
    first: dt.date
    last: dt.date
    rows: pd.DataFrame  # of `history.register_history`, with ``township``
    presence: Presence
    lines: pd.DataFrame  # of `accounts.assemble_lines`
    natural: pd.DataFrame  # of `accounts.count_natural_change`

    @cached_property
    def categories(self) -> list[str]:
        """Every category of the lines, in declared order."""
        return order_categories(set(self.lines["category"]))

    @cached_property
    def registered(self) -> pd.DataFrame:
        """Households in the register at the end: ``household_id, state, category, causes, p``."""
        at = state_at(self.rows, self.last)
        at = at[at["state"].isin(STOCKS["ever"])].reset_index(drop=True)
        causes = causes_at(self.rows, self.last)
        at["causes"] = [causes.get(h, []) for h in at["household_id"]]
        at["p"] = self.presence.count(at["household_id"], np.full(len(at), to_day(self.last)))
        return at

    @cached_property
    def households(self) -> pd.DataFrame:
        """All households at the end: ``household_id, township, registration, persons, pcni`` (yuan)."""
        columns = ["household_id", "township", "registration", "persons", "pcni"]
        built = self.known.accounts().select(*columns)
        return built.to_pandas().sort_values("household_id").reset_index(drop=True)

    def by(self, *keys: str) -> pd.DataFrame:
        """Return the lines summed to ``stock``, ``township`` or ``category``, in any combination.

        Parameters
        ----------
        *keys
            Which of the three columns stay.

        Returns
        -------
        DataFrame
            ``*keys, line, hh, p``.
        """
        sums = self.lines.groupby([*keys, "line"], sort=False)[["hh", "p"]].sum().reset_index()
        return in_line_order(sums, list(keys))


def all_combinations(**levels: list[str]) -> pd.DataFrame:
    """Return every combination of levels, in the order given."""
    return (
        pd.MultiIndex.from_product(list(levels.values()), names=list(levels))
        .to_frame(index=False)
        .astype("str")
    )


def codes_in_order(known: Iterable[str], used: pd.Series) -> list[str]:
    """Return the contract's codes, then others that are used (a county built in memory is unchecked)."""
    first = list(known)
    return first + sorted(set(used.dropna()) - set(first))


def count_households(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Count households (each once) and persons ``p`` of rows by ``keys``."""
    return (
        rows.astype(dict.fromkeys(keys, "str"))
        .groupby(keys, sort=True)
        .agg(hh=("household_id", "nunique"), p=("p", "sum"))
        .reset_index()
    )


def fill_counts(full: pd.DataFrame, counts: pd.DataFrame, keys: list[str], prefix: str) -> pd.DataFrame:
    """Put counts into all combinations; one that has none has 0, because the register is there."""
    renamed = counts.rename(columns={"hh": f"{prefix}hh", "p": f"{prefix}p"})
    out = full.merge(renamed, how="left", on=keys)
    columns = [f"{prefix}hh", f"{prefix}p"]
    out[columns] = out[columns].fillna(0).astype("int64")
    return out


def add_shares(out: pd.DataFrame, of: pd.Series) -> pd.DataFrame:
    """Add ``of_hh`` and ``share`` of it (missing where there is nothing to be a share of)."""
    of = of.fillna(0).astype("int64")
    return out.assign(of_hh=of, share=out["hh"] / of.where(of > 0))


def income_band_table(period: RegisterPeriod) -> pd.DataFrame:
    """Table 4: households and persons by income band and township.

    ``township, group, band, hh, p, of_hh, share``: ``group`` is ``monitored`` (watched) or the registration
    of those not watched.
    """
    edges = office_table_specs().bands
    names = income_bands()
    every = period.households.rename(columns={"persons": "p"}).copy()
    watched = set(period.registered.loc[period.registered["state"] == WATCHED, "household_id"])
    every["group"] = every["registration"].where(~every["household_id"].isin(watched), "monitored")
    income = every["pcni"].astype("float64").round(COMPARED_DIGITS).to_numpy()
    place = np.digitize(income, edges)
    every["band"] = np.where(np.isnan(income), UNKNOWN, np.array(names)[np.minimum(place, len(names) - 2)])
    keys = ["township", "group", "band"]
    full = all_combinations(
        township=sorted(set(every["township"])), group=list(office_table_specs().groups), band=names
    )
    out = fill_counts(full, count_households(every, keys), keys, "")
    return add_shares(out, out.groupby(["township", "group"])["hh"].transform("sum"))


def income_bands() -> list[str]:
    """Return the bands of table 4 in order.

    Returns
    -------
    list
        ``below``, ``7000-8000`` … (yuan a person and year, the lower edge included), ``above``, ``unknown``.
    """
    edges = office_table_specs().bands
    between = [f"{low}-{high}" for low, high in itertools.pairwise(edges)]
    return ["below", *between, "above", UNKNOWN]


def workload_table(period: RegisterPeriod) -> pd.DataFrame:
    """Table 5: ``township, line, n`` of warnings, visits, identifications; missing without their table."""
    township = period.households.set_index("household_id")["township"]
    warned, visited = _warnings_in_period(period), _visits_in_period(period)
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
        "newly_identified": _identifications(period)["household_id"].drop_duplicates(),
    }
    townships = {line: households.map(township).fillna(UNKNOWN) for line, households in ids.items()}
    order = sorted({*township, *(UNKNOWN for t in townships.values() if (t == UNKNOWN).any())})
    parts = []
    for line, of_line in townships.items():
        n = of_line.value_counts().reindex(order, fill_value=0).astype("Int64")
        n = n if period.known.has(office_table_specs().workload[line].needs) else n.mask(n.notna())
        parts.append(pd.DataFrame({"township": order, "line": line, "n": n.to_numpy()}))
    return pd.concat(parts, ignore_index=True).astype({"n": "Int64"})


def _warnings_in_period(period: RegisterPeriod) -> pd.DataFrame:
    t = period.known.rows("warnings")
    t = t.filter((t.pushed_on >= period.first) & (t.pushed_on <= t.as_of))
    checked = (t.checked_on <= t.as_of).fill_null(False)
    compared = checked | (t.forwarded_on <= t.as_of).fill_null(False)
    return t.select("household_id", checked=checked, compared=compared).to_pandas()


def _visits_in_period(period: RegisterPeriod) -> pd.DataFrame:
    t = period.known.rows("visits")
    return (
        t.filter((t.date >= period.first) & (t.date <= t.as_of)).select("household_id", "outcome").to_pandas()
    )


def _identifications(period: RegisterPeriod) -> pd.DataFrame:
    rows = period.rows[dated_within(period.rows, period.first, period.last)]
    return rows[(rows["event"] == "identified") & (rows["state_before"] != WATCHED)]


def cause_table(period: RegisterPeriod) -> pd.DataFrame:
    """Table 1: households and persons by category and main cause; further causes apart.

    ``stock, category, cause, hh, p, also_hh, also_p``; ``also`` counts those that name the cause besides.
    """
    every = period.registered.assign(main=[c[0] if c else UNKNOWN for c in period.registered["causes"]])
    order = [*codes_in_order(codes("risk_events", "cause"), every["causes"].explode()), UNKNOWN]
    parts = []
    for name, states in STOCKS.items():
        some = every[every["state"].isin(states)]
        further = some.drop(columns="main").explode("causes").rename(columns={"causes": "cause"})
        further = further.merge(some[["household_id", "main"]], on="household_id")
        # A cause named twice is one cause, and the main one is no further one.
        further = further[further["cause"].notna() & (further["cause"] != further["main"])]
        also = count_households(further.drop_duplicates(["household_id", "cause"]), ["category", "cause"])
        main = count_households(some.rename(columns={"main": "cause"}), ["category", "cause"])
        full = fill_counts(
            all_combinations(category=period.categories, cause=order), main, ["category", "cause"], ""
        )
        parts.append(fill_counts(full, also, ["category", "cause"], "also_").assign(stock=name))
    out = pd.concat(parts, ignore_index=True)
    return out[["stock", "category", "cause", "hh", "p", "also_hh", "also_p"]]


def dynamics_table(period: RegisterPeriod) -> pd.DataFrame:
    """Table 2: what happened to the register in the period, and what remains.

    ``category, line, hh, p``; the line ``registered`` of category ``all`` counts lifted households.
    """
    cells = period.by("stock", "category").set_index(["stock", "category", "line"])
    source = {
        **{e: ("open", e) for e in ("identified", "rolled_back", "re_marked", "eliminated")},
        **{e: ("ever", e) for e in ("removed", "label_withdrawn", "natural_increase", "natural_decrease")},
        "remaining": ("open", "closing"),
        "total": ("ever", "closing"),
    }
    parts = []
    for category in period.categories:
        keys = [(stock, category, line) for stock, line in source.values()]
        counts = cells.reindex(keys, fill_value=0).set_axis(list(source))
        counts.loc["eliminated_stock"] = counts.loc["total"] - counts.loc["remaining"]
        counts = counts.loc[list(office_table_specs().dynamic)].rename_axis("line").reset_index()
        parts.append(counts.assign(category=category))
    lifted = period.households[period.households["registration"] == "lifted"]
    whole = {"category": ALL, "line": "registered", "hh": len(lifted), "p": int(lifted["persons"].sum())}
    return pd.concat([*parts, pd.DataFrame([whole])], ignore_index=True)[["category", "line", "hh", "p"]]


def natural_change_table(period: RegisterPeriod) -> pd.DataFrame:
    """Table 2 continued: natural change of persons: ``category, direction, reason, p``."""
    ever = period.natural[period.natural["stock"] == "ever"]
    return ever.groupby(["category", "direction", "reason"], sort=True)["p"].sum().reset_index()


def _measures_in_force(period: RegisterPeriod) -> pd.DataFrame:
    """Return measures in force in the period for households of the register, one row a measure."""
    t = period.known.rows("support")
    t = t.filter((t.date <= t.as_of) & (t.end_date.isnull() | (t.end_date >= period.first)))
    rows = t.select("household_id", "measure").to_pandas()
    return rows.merge(period.registered, on="household_id", how="inner")


def measure_table(period: RegisterPeriod) -> pd.DataFrame:
    """Table 3: measures (``items``) by category, with coverage: ``share`` of its households ``of_hh``."""
    of = count_households(period.registered, ["category"]).set_index("category")["hh"]
    out = _by_measure(_measures_in_force(period), "category", period.categories)
    return add_shares(out, out["category"].map(of))


def single_cause_table(period: RegisterPeriod) -> pd.DataFrame:
    """Table 3 continued: measures by cause, of households with a single cause."""
    one = period.registered[period.registered["causes"].map(len) == 1]
    one = one.assign(cause=one["causes"].map(lambda c: c[0]))
    rows = (
        _measures_in_force(period)
        .drop(columns="causes")
        .merge(one[["household_id", "cause"]], on="household_id")
    )
    of = count_households(one, ["cause"]).set_index("cause")["hh"]
    out = _by_measure(rows, "cause", codes_in_order(codes("risk_events", "cause"), one["cause"]))
    return add_shares(out, out["cause"].map(of))


def _by_measure(rows: pd.DataFrame, by: str, order: list[str]) -> pd.DataFrame:
    keys = [by, "measure"]
    with_total = pd.concat([rows, rows.assign(measure=ANY)], ignore_index=True)
    items = with_total.groupby(keys, sort=True).size().rename("items").reset_index()
    items = items.astype(dict.fromkeys(keys, "str"))  # of an empty register they are no text yet
    households = count_households(with_total.drop_duplicates(["household_id", "measure"]), keys)
    full = all_combinations(
        **{by: order, "measure": [*codes_in_order(codes("support", "measure"), rows["measure"]), ANY]}
    )
    full = fill_counts(full, households, keys, "").merge(items, how="left", on=keys)
    return full.assign(items=full["items"].fillna(0).astype("int64"))


TABLES: Mapping[str, Callable[[RegisterPeriod], pd.DataFrame]] = {
    "causes": cause_table,
    "dynamic": dynamics_table,
    "natural": natural_change_table,
    "measures": measure_table,
    "single_cause": single_cause_table,
    "bands": income_band_table,
    "workload": workload_table,
}


def build_office_tables(period: RegisterPeriod) -> dict[str, pd.DataFrame]:
    """Return every declared table whose data are there, by id."""
    has = period.known.has
    return {
        name: TABLES[name](period)
        for name, spec in office_table_specs().tables.items()
        if all(map(has, spec.needs))
    }
