"""Who could be missing from a list because a row or a cell of theirs could not be used.

A row that is rejected, refused or counted once may be what kept a household on a list, or what would bring
it there (contract, "Rows, cells, doubts"): such households are listed by themselves, with the rows. They are
judged again as if the rows in question had been read in each of the ways in which they could be: without
them, counted twice, and by what makes the household poorest.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import pandas as pd

from riskmodel.data import (
    WITHDRAWN,
    County,
    FurtherCheck,
    canonical_schema,
    code_words,
    codes,
    contract,
    county_links,
)
from riskmodel.households import KnownCounty, known_county, to_date, window_end
from riskmodel.i18n import LANGUAGES, Language, section, text
from riskmodel.rules.completeness import name_reasons
from riskmodel.rules.declaration import RuleSet
from riskmodel.rules.evaluate import evaluate_rules
from riskmodel.rules.library import load_rules

COLUMNS = (
    "household_id", "township", "village", "as_of", "ruleset", "category", "flagged", "in_register",
    "flagged_before", "flagged_if", "pcni", "category_if_both", "pcni_if_both", "doubts", "why", "rows",
)  # fmt: skip
DROPPED_FILE = "dropped.csv"
_MOST_ROWS = 20  # of a household, named one by one
_SPANS = {"income": ("source", "wage"), "spending": ("category", "living")}
Times = Literal["none", "once", "twice"]


@dataclass(frozen=True)
class Reading:
    """One way in which rows that are not used could be read.

    Parameters
    ----------
    income, spending
        How often rows count that stand there more than once.
    highest
        Of refused corrections, whether the one holds that leaves most, or least; None: neither.
    members
        Whether members of rejected rows are counted.
    registration
        Of households of which only the number is known.
    cells
        What stands in cells of yes or no that cannot be read.
    """

    income: Times = "once"
    spending: Times = "once"
    highest: bool | None = None
    members: bool = False
    registration: str | None = None
    cells: bool | None = None


# Each way of reading is one judgement of the county, so what concerns different rows is changed together;
# what it is called depends on what could not be used.
_CALLED: tuple[tuple[Reading, dict[str, str]], ...] = (
    (
        Reading(income="none", spending="none", cells=True, registration="lifted"),
        {
            "rejected": "zero", "unrecorded": "zero", "equal": "left_out", "ambiguous": "left_out",
            "cell": "cells_yes", "stateless": "lifted",
        },
    ),
    (
        Reading(income="twice", spending="twice", highest=True, cells=False, registration="general"),
        {"equal": "twice", "ambiguous": "twice", "cell": "cells_no", "stateless": "general"},
    ),
    (
        Reading(income="none", spending="twice", highest=False, members=True, registration="not_lifted"),
        {
            "rejected": "poorest", "unrecorded": "poorest", "equal": "poorest", "ambiguous": "poorest",
            "stateless": "not_lifted",
        },
    ),
)  # fmt: skip
_TWICE = 1


def find_dropped(
    county: County | KnownCounty,
    ruleset: str | RuleSet,
    as_of: str | dt.date | None = None,
    *,
    params: Mapping[str, Any] | None = None,
    verdicts: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return the households that a row or a cell may have taken off the list.

    Parameters
    ----------
    county
        As it was read; a `KnownCounty` carries its own date.
    ruleset
        Which verdicts are looked at.
    as_of
        The day judged.
    params : mapping, optional
        Overrides of parameters.
    verdicts : DataFrame, optional
        From `riskmodel.rules.evaluate_rules` for that day, where they are there already.

    Returns
    -------
    DataFrame
        One row a household of which something known by the day could not be used or is in doubt, if it is
        in the register, was flagged a month earlier, is flagged, or would be under another reading of these
        rows: ``household_id, township, village, as_of, ruleset, category, flagged, in_register,
        flagged_before, flagged_if`` (the readings under which it is flagged, ``;``-joined), ``pcni`` (yuan
        per person and period), ``category_if_both, pcni_if_both`` (with equal rows counted as two, where the
        category differs), ``doubts, why`` (what happened to how many rows) and ``rows`` (file and row
        numbers).

    References
    ----------
    Data contract, "Rows, cells, doubts".
    """
    known = known_county(county, as_of)
    whole, day, loaded = known.county, to_date(known.as_of), load_rules(ruleset)
    losses = _losses_known(whole, day)
    if losses.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    judge = partial(evaluate_rules, ruleset=loaded, params=params)
    now = judge(known) if verdicts is None else verdicts
    now = now.set_index("household_id")
    before = _flagged(judge(whole, as_of=window_end(day, -1)))
    register = known.accounts(loaded.period(params)).select("household_id", "in_register").to_pandas()
    in_register = set(register.loc[register["in_register"].eq(True), "household_id"])
    kinds = losses.groupby("household_id")["kind"].agg(set).to_dict()
    for household in now.index[now["registration"].isna()].intersection(list(kinds)):
        kinds[household] = kinds[household] | {"stateless"}
    of_all = set().union(*kinds.values())
    again = [
        judge(_read_again(whole, losses, reading, day), as_of=day).set_index("household_id")
        if of_all & called.keys()
        else now.iloc[:0]
        for reading, called in _CALLED
    ]
    out = []
    for household, own in losses.groupby("household_id", sort=True):
        row = _of(now, household, ("township", "village", "category", "pcni", "doubts", "flagged"))
        row |= {"household_id": household, "as_of": day, "ruleset": loaded.id}
        row |= {"flagged": bool(row["flagged"]), "in_register": household in in_register}
        row["flagged_before"] = household in before
        found: list[str] = []
        for (_, called), verdict in zip(_CALLED, again, strict=True):
            if _of(verdict, household, ("flagged",))["flagged"]:
                found += [called[kind] for kind in sorted(kinds[household]) if kind in called]
        row["flagged_if"] = ";".join(dict.fromkeys(found))
        both = _of(again[_TWICE], household, ("category", "pcni"))
        if "equal" in kinds[household] and both["category"] != row["category"]:
            row |= {"category_if_both": both["category"], "pcni_if_both": both["pcni"]}
        if row["flagged"] or row["in_register"] or row["flagged_before"] or row["flagged_if"]:
            out.append(row | _named(own))
    return pd.DataFrame(out, columns=list(COLUMNS))


def _of(verdicts: pd.DataFrame, household: object, columns: tuple[str, ...]) -> dict[str, Any]:
    """Return some columns of one household, None where it is not there."""
    there = household in verdicts.index
    return {c: verdicts.at[household, c] if there else None for c in columns}


def _flagged(verdicts: pd.DataFrame) -> set[str]:
    return set(verdicts.loc[verdicts["flagged"].eq(True), "household_id"])


def _losses_known(county: County, day: dt.date) -> pd.DataFrame:
    """Return what could not be used and was known by a day, under the numbers in use then."""
    losses = county.losses
    if len(losses):
        losses = losses[[d <= day for d in losses["known_on"]]]
    if county.has("unrecorded"):
        t = county.frame("unrecorded")
        t = t[(t["known_on"] <= pd.Timestamp(day)) & (t["why"] != "row_rejected")]
        t = t.assign(kind="unrecorded", table=t["of"], reason=t["why"], file="", row=None, column="")
        losses = pd.concat([losses, t.reindex(columns=losses.columns if len(losses) else t.columns)])
    if losses.empty:
        return losses
    who = county_links(county).at(day, day)
    return losses.assign(own_id=losses["household_id"], household_id=losses["household_id"].map(who.current))


def _named(own: pd.DataFrame) -> dict[str, str]:
    """Return what happened to a household's rows, and which they are."""
    counts = own.value_counts(["kind", "reason"]).rename("n").reset_index().sort_values(["kind", "reason"])
    why = "; ".join(f"{r['kind']} ({r['reason']}) {r['n']}" for r in counts.to_dict("records"))
    there = own[own["row"].notna()].drop_duplicates(["file", "row", "column"])
    rows = [f"{r['file']} {int(r['row'])} {r['column'] or ''}".strip() for r in there.to_dict("records")]
    more = f"; … ({len(rows)})" if len(rows) > _MOST_ROWS else ""
    return {"why": why, "rows": "; ".join(rows[:_MOST_ROWS]) + more}


# ------------------------------------------------------------------ reading again
def _read_again(county: County, losses: pd.DataFrame, reading: Reading, day: dt.date) -> County:
    """Return the county with the rows that are not used read in one of the ways in which they could be."""
    made = {name: _span_query(county, losses, name, reading) for name in _SPANS if county.has(name)}
    made["members"] = _with_cells("members", losses, reading, _members_query(county, reading))
    households = 'SELECT * FROM "households"'
    if reading.registration is not None:
        households = f"SELECT * REPLACE (coalesce(registration, '{reading.registration}') AS registration) "
        households += 'FROM "households"'
    made["households"] = _with_cells("households", losses, reading, households)
    tables = {name: t for name, t in county.tables.items() if name != "unrecorded"}
    for name, query in made.items():
        view = f"again_{uuid.uuid4().hex}_{name}"
        for known, table in county.tables.items():
            query = query.replace(f'"{known}"', f'"{table.op().name}"')
        county.con.raw_sql(f'CREATE VIEW "{view}" AS {query}')
        tables[name] = county.con.table(view)
    return replace(county, tables=tables)


def _span_query(county: County, losses: pd.DataFrame, table: str, reading: Reading) -> str:
    code, some = _SPANS[table]
    columns = list(canonical_schema(table))
    listed = ", ".join(f'"{c}"' for c in columns)
    query = f'SELECT {listed} FROM "{table}"'
    times: Times = getattr(reading, table)
    mine = losses[losses["table"] == table]
    equal = _numbers(mine, "equal")
    if equal and times == "none":
        same = " AND ".join(f't."{c}" IS NOT DISTINCT FROM w."{c}"' for c in columns)
        twice = f"SELECT 1 FROM {WITHDRAWN}{table} w WHERE row_ IN ({equal}) AND {same}"
        query = f'SELECT {listed} FROM "{table}" t WHERE NOT EXISTS ({twice})'
    if equal and times == "twice":
        query += f" UNION ALL SELECT {listed} FROM {WITHDRAWN}{table} WHERE row_ IN ({equal})"
    refused = _numbers(mine, "ambiguous")
    if refused and reading.highest is not None:
        order = "DESC" if reading.highest == (table == "income") else "ASC"
        by = f"coalesce(row_id, concat_ws('|', household_id, {code}, month_from, month_to)), known_on"
        query += (
            f" UNION ALL (SELECT {listed} FROM {WITHDRAWN}{table} WHERE row_ IN ({refused}) "
            f"QUALIFY row_number() OVER (PARTITION BY {by} ORDER BY amount {order}) = 1)"
        )
    if county.has("unrecorded"):
        nothing = dict.fromkeys(columns, "NULL") | {code: f"'{some}'", "amount": "0"}
        nothing |= {c: f'"{c}"' for c in ("household_id", "month_from", "month_to", "known_on")}
        zeros = ", ".join(f'{value} AS "{c}"' for c, value in nothing.items())
        query += (
            f' UNION ALL SELECT {zeros} FROM "unrecorded" WHERE "of" = \'{table}\' AND month_from = month_to'
        )
    kinds = {c: str(k) for c, k in canonical_schema(table).items()}
    cast = ", ".join(f'CAST("{c}" AS {_SQL[kinds[c].split("(")[0].lstrip("!")]}) AS "{c}"' for c in columns)
    return f"SELECT {cast} FROM ({query})"


_SQL = {"string": "VARCHAR", "int32": "INTEGER", "decimal": "DECIMAL(18,4)", "date": "DATE"}


def _numbers(losses: pd.DataFrame, kind: str) -> str:
    return ", ".join(str(int(row)) for row in losses.loc[losses["kind"] == kind, "row"])


def _members_query(county: County, reading: Reading) -> str:
    query = 'SELECT * FROM "members"'
    if not (reading.members and county.has("unrecorded")):
        return query
    # A member of whom no row was accepted counts as a person from the day that the row speaks of.
    return query + (
        " UNION ALL BY NAME SELECT household_id, coalesce(member_id, concat('? ', row_number() OVER ())) "
        'AS member_id, day_from AS valid_from, known_on FROM "unrecorded" '
        "WHERE \"of\" = 'members'"
    )


def _with_cells(table: str, losses: pd.DataFrame, reading: Reading, query: str) -> str:
    """Return a query of rows of which cells of yes or no that could not be read have one of the two."""
    if reading.cells is None:
        return query
    cells = losses[(losses["kind"] == "cell") & (losses["table"] == table)]
    replaced = []
    for column, own in cells.groupby("column"):
        if contract().tables[table].columns[str(column)].type == "bool":
            who = ", ".join("'" + str(h).replace("'", "''") + "'" for h in sorted(set(own["own_id"])))
            value = str(reading.cells).upper()
            replaced.append(
                f'CASE WHEN "{column}" IS NULL AND household_id IN ({who}) THEN {value} ELSE "{column}" END '
                f'AS "{column}"'
            )
    return f"SELECT * REPLACE ({', '.join(replaced)}) FROM ({query})" if replaced else query


# ------------------------------------------------------------------ in words
def dropped_in_words(dropped: pd.DataFrame, lang: Language) -> pd.DataFrame:
    """Return the table of `find_dropped` under headings and with words of one language."""
    words = section("rules.dropped", lang)
    out = dropped.copy()
    yes_no = {True: words["yes"], False: words["no"]}
    for column in ("flagged", "in_register", "flagged_before"):
        out[column] = [yes_no[bool(value)] for value in out[column]]
    readings = {**words["readings"]}
    readings |= {
        c: code_words("households", "registration", c)[lang] for c in codes("households", "registration")
    }
    out["flagged_if"] = _each(out["flagged_if"], readings)
    for column in ("category", "category_if_both"):
        out[column] = _categories(out, column, lang)
    out["doubts"] = ["; ".join(name_reasons(doubts, lang)) for doubts in out["doubts"]]
    for kind, word in words["kinds"].items():
        out["why"] = out["why"].str.replace(rf"\b{kind} \(", f"{word} (", regex=True)
    return out.rename(columns=words["columns"])


def _categories(dropped: pd.DataFrame, column: str, lang: Language) -> list[str]:
    words: dict[str, str] = dict(section("rules.dropped.categories", lang))
    for name in dropped["ruleset"].unique():
        words |= {c.id: c.zh if lang == "zh" else c.en for c in load_rules(name).categories}
    return _each(dropped[column].fillna(""), words)


def _each(values: pd.Series, words: Mapping[str, str]) -> list[str]:
    return ["; ".join(words.get(part, part) for part in str(v).split(";") if part) for v in values]


def dropped_check(ruleset: str | RuleSet) -> Any:
    """Return the check of who may be missing from a list, as `riskmodel.data.check_county` takes it.

    Parameters
    ----------
    ruleset
        Whose verdicts are looked at, on the day until which the county's records are whole.
    """

    def further(county: County) -> FurtherCheck:
        day = county.data_through
        dropped = find_dropped(county, ruleset, day)
        only_if = dropped[~dropped["flagged"].astype(bool)]
        figures = {
            "as_of": day.isoformat(), "ruleset": load_rules(ruleset).id, "households": len(dropped),
            "not_flagged": len(only_if),
            "in_register": int(dropped["in_register"].sum()),
            "flagged_before": int(only_if["flagged_before"].sum()),
            "flagged_if": int(only_if["flagged_if"].ne("").sum()),
        }  # fmt: skip
        lines = {
            lang: [text("rules.dropped.said", lang, **figures)] if len(dropped) else [] for lang in LANGUAGES
        }
        return FurtherCheck("dropped", figures, lines, {DROPPED_FILE: dropped})

    return further
