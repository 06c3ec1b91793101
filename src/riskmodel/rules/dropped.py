"""Who could be missing from a list because a row or a cell of theirs could not be used.

A row that is rejected, refused or counted once, or a cell that cannot be read, may be what kept a household
on a list, or what would bring it there (contract, "Rows, cells, doubts"): such households are listed by
themselves, with the rows. They are judged again in each of the ways in which the rows and cells could be
read (`riskmodel.rules.readings`): without the rows, counted twice, by what makes the household poorest, and
with every value that a cell could have.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from riskmodel.data import (
    SPAN_TABLES,
    County,
    FurtherCheck,
    code_words,
    codes,
    contract,
    county_lineage,
    county_links,
)
from riskmodel.households import KnownCounty, known_county, to_date, window_end
from riskmodel.i18n import LANGUAGES, Language, section, text
from riskmodel.rules import backends
from riskmodel.rules.completeness import name_reasons
from riskmodel.rules.declaration import RelativeLine, RuleSet
from riskmodel.rules.engine import RuleCase
from riskmodel.rules.evaluate import evaluate_rules, query_verdicts
from riskmodel.rules.library import load_rules
from riskmodel.rules.readings import (
    EVENT_CODES,
    MARK,
    Copies,
    Reading,
    Times,
    cell_values,
    every_cell,
    possible_cells,
)

COLUMNS = (
    "household_id", "township", "village", "as_of", "ruleset", "category", "flagged", "in_register",
    "flagged_before", "flagged_if", "pcni", "verdict_if_both", "pcni_if_both", "doubts", "why", "rows",
)  # fmt: skip
DROPPED_FILE = "dropped.csv"
_MOST_ROWS = 20  # of a household, named one by one
_BRIEF = ("flagged", "category", "pcni", "in_register")
_NONE: dict[str, Times] = dict.fromkeys(SPAN_TABLES, "none")
_TWICE: dict[str, Times] = dict.fromkeys(SPAN_TABLES, "twice")

# Ways of reading rows, and what each is called for households of which a row of some kind could not be used.
# Where all that could not be used is amounts, the poorest reading is the one by zero.
_AS_ZERO = Reading(times=_NONE, registration="lifted")
_COUNTED_TWICE = Reading(times=_TWICE, highest=True, registration="general")
_POOREST = Reading(
    times={"income": "none", "spending": "twice"}, highest=False, members=True, registration="not_lifted"
)
_CALLED: tuple[tuple[Reading, dict[str, str]], ...] = (
    (
        _AS_ZERO,
        {
            "rejected": "zero", "unrecorded": "zero", "equal": "left_out", "ambiguous": "left_out",
            "members": "zero", "households": "lifted",
        },
    ),
    (_COUNTED_TWICE, {"equal": "twice", "ambiguous": "twice", "households": "general"}),
    (
        _POOREST,
        {
            "rejected": "poorest", "unrecorded": "poorest", "equal": "poorest", "ambiguous": "poorest",
            "members": "poorest", "households": "not_lifted",
        },
    ),
)  # fmt: skip


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
        rows and cells: ``household_id, township, village, as_of, ruleset, category, flagged, in_register,
        flagged_before, flagged_if`` (the readings under which it is flagged, ``;``-joined: ``zero,
        left_out, twice, poorest``, a registration, ``cells_yes``, ``cells_no``, or ``column=value``),
        ``pcni`` (yuan per person and period), ``verdict_if_both, pcni_if_both`` (with equal rows counted as
        two, where the category differs), ``doubts, why`` (what happened to how many rows) and ``rows``
        (file and row numbers).

    References
    ----------
    Data contract, "Rows, cells, doubts".
    """
    known, loaded = known_county(county, as_of), load_rules(ruleset)
    # List, report and rules of a month all ask: it is found once.
    key = ("dropped", known.moments, loaded.model_dump_json(), repr(sorted(loaded.values(params).items())))
    return known.county.once(key, lambda: _find_dropped(known, loaded, params, verdicts)).copy()


def _find_dropped(
    known: KnownCounty, loaded: RuleSet, params: Mapping[str, Any] | None, verdicts: pd.DataFrame | None
) -> pd.DataFrame:
    whole, day = known.county, to_date(known.as_of)
    losses = _losses_known(whole, day)
    if losses.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    case = RuleCase(loaded, loaded.values(params))
    now = evaluate_rules(known, loaded, params=params) if verdicts is None else verdicts
    now = now.set_index("household_id")
    whose = pd.Index(sorted(set(losses["household_id"])))
    before = _brief(known_county(whole, window_end(day, -1)), case)
    register = known.accounts(case.period).select("household_id", "in_register").to_pandas()
    again = _Judged(whole, case, day, losses, now).under_other_readings()
    out = now.reindex(whose)[["township", "village", "category", "pcni", "doubts", "flagged"]]
    out = out.astype({"flagged": object}).reset_index(names="household_id")
    out = out.assign(
        as_of=day, ruleset=loaded.id, flagged=out["flagged"].eq(True),
        in_register=whose.isin(register.loc[register["in_register"].eq(True), "household_id"]),
        flagged_before=whose.isin(before.index[before["flagged"].eq(True)]),
        flagged_if=[";".join(again.flagged_if.get(h, ())) for h in whose],
    )  # fmt: skip
    both = again.both.reindex(whose)
    differs = (
        both["category"].notna().to_numpy() & (both["category"] != now["category"].reindex(whose)).to_numpy()
    )
    out["verdict_if_both"] = both["category"].where(differs).to_numpy()
    out["pcni_if_both"] = both["pcni"].where(differs).to_numpy()
    out = out[out["flagged"] | out["in_register"] | out["flagged_before"] | out["flagged_if"].ne("")]
    named = _named(losses[losses["household_id"].isin(out["household_id"])])
    out = out.merge(named, on="household_id", how="left")
    return out[list(COLUMNS)].sort_values("household_id", ignore_index=True)


def with_other_readings(verdicts: pd.DataFrame, dropped: pd.DataFrame) -> pd.DataFrame:
    """Return verdicts of one day with what they would be under other readings, empty where nothing is lost.

    Parameters
    ----------
    verdicts
        From `riskmodel.rules.evaluate_rules`.
    dropped
        From `find_dropped`.

    Returns
    -------
    DataFrame
        With the further columns ``flagged_if`` and ``verdict_if_both``.
    """
    columns = ["flagged_if", "verdict_if_both"]
    further = dropped.set_index("household_id")[columns].reindex(verdicts["household_id"]).fillna("")
    return verdicts.assign(**{c: further[c].to_numpy() for c in columns})


def _brief(known: KnownCounty, case: RuleCase) -> pd.DataFrame:
    """Return what a verdict comes to, by household."""
    with backends.stored_figures(known, list(case.tests.values())) as figures:
        return query_verdicts(known, case, figures, keep=_BRIEF).set_index("household_id")


@dataclass(frozen=True)
class _Again:
    """What households would be under other readings: those that flag, and with equal rows counted twice."""

    flagged_if: dict[str, list[str]]
    both: pd.DataFrame


@dataclass(frozen=True)
class _Judged:
    """Households of which something could not be used, to be judged again."""

    county: County
    case: RuleCase
    day: dt.date
    losses: pd.DataFrame
    now: pd.DataFrame

    def under_other_readings(self) -> _Again:
        """Judge each household under each reading that could change its verdict."""
        kinds = self._kinds()
        ways = [(reading, self._numbers(kinds, called)) for reading, called in _CALLED]
        # Nothing but amounts that are zero: what is poorest is known by then.
        only_zero = {h for h, of in kinds.items() if of <= {"rejected", "unrecorded"}}
        ways[-1] = (_POOREST, ways[-1][1] - self._own_numbers(only_zero))
        cells = every_cell(self.losses, self.day)
        ways += cells
        if not any(households for _, households in ways):
            return _Again({}, pd.DataFrame(columns=list(_BRIEF)))
        alone = not isinstance(self.case.values.get(self.case.ruleset.line), RelativeLine)
        with Copies(self.county, self.losses, self.day, ways).build(alone=alone) as copies:
            verdicts = _brief(known_county(copies, self.day), self.case)
        verdicts = verdicts[verdicts.index.str.contains(MARK, regex=False)]
        parts = verdicts.index.str.rsplit(MARK, n=1)
        verdicts = verdicts.assign(household_id=parts.str[0], way=parts.str[1].astype(int))
        flagged, watched = (
            {way: set(own["household_id"]) for way, own in verdicts[verdicts[c].eq(True)].groupby("way")}
            for c in ("flagged", "in_register")
        )
        readings: dict[str, list[str]] = {}
        for way, (_, called) in enumerate(_CALLED):
            these = flagged.get(way, set())
            these = these | (flagged.get(0, set()) & only_zero) if way == len(_CALLED) - 1 else these
            for household in sorted(these):
                names = [called[kind] for kind in sorted(kinds.get(household, ())) if kind in called]
                readings.setdefault(household, []).extend(names)
        for way, (reading, _) in enumerate(cells, start=len(_CALLED)):
            self._name_cells(
                readings, flagged.get(way, set()), watched.get(way, set()), int(reading.cell or 0)
            )
        equal = {h for h, of in kinds.items() if "equal" in of}
        both = verdicts[(verdicts["way"] == 1) & verdicts["household_id"].isin(equal)]
        named = {h: list(dict.fromkeys(names)) for h, names in readings.items() if names}
        return _Again(named, both.set_index("household_id"))

    def _kinds(self) -> dict[str, set[str]]:
        """Return what kinds of rows of each household could not be used, of those that can matter."""
        rows = self.losses[self.losses["kind"] != "cell"]
        spans = rows["table"].isin(SPAN_TABLES).to_numpy()
        kind = rows["kind"].where(~rows["table"].isin(["members", "households"]), rows["table"])
        rows = rows.assign(kind=kind, span=spans)[~rows["table"].isin(list(EVENT_CODES)).to_numpy()]
        rows = rows[["household_id", "kind", "span"]].drop_duplicates()
        # Where every condition could be judged, nothing that is null has had a say; of late records the
        # period may be another one.
        now = self.now
        sure = (now["category"] == "none") & now["unknown"].eq("") & now["lag_months"].eq(0).fillna(False)
        decided = set(now.index[sure.to_numpy(bool)])
        only_null = rows["span"].to_numpy() & rows["kind"].isin(["rejected", "unrecorded"]).to_numpy()
        matters = set(rows.loc[~only_null | ~rows["household_id"].isin(decided).to_numpy(), "household_id"])
        kinds: dict[str, set[str]] = {}
        for household, kind in zip(rows["household_id"], rows["kind"], strict=True):
            if household in matters:
                kinds.setdefault(household, set()).add(kind)
        return kinds

    def _numbers(self, kinds: Mapping[str, set[str]], called: Mapping[str, str]) -> set[str]:
        return self._own_numbers({h for h, of in kinds.items() if of & called.keys()})

    def _own_numbers(self, households: Iterable[str]) -> set[str]:
        """Return every number under which rows of some households stand."""
        out = set(households)
        if self.county.has("household_links"):
            links = county_links(self.county).rows
            grown = True
            while grown:
                near = {n for link in links if {link.old, link.new} & out for n in (link.old, link.new)}
                grown = not near <= out
                out |= near
        return out

    def _name_cells(
        self, readings: dict[str, list[str]], flagged: set[str], watched: set[str], place: int
    ) -> None:
        """Name the values of unreadable cells under which households are flagged, or in the register."""
        cells = possible_cells(self.losses)
        # To be in the register is to be on a list, where a row of the register is what cannot be read.
        of_register = cells["household_id"].isin(watched) & (cells["table"] == "monitoring")
        cells = cells[cells["household_id"].isin(flagged) | of_register]
        pairs = cells[["household_id", "table", "column"]].drop_duplicates()
        for household, table, column in pairs.itertuples(index=False):
            values = cell_values(table, column, self.day)
            if place < len(values):
                value = values[place]
                word = f"cells_{value}" if value in ("yes", "no") else f"{column}={value}"
                readings.setdefault(household, []).append(word)


def _losses_known(county: County, day: dt.date) -> pd.DataFrame:
    """Return what could not be used and was known by a day, under the numbers in use then."""
    losses = county.losses
    losses = losses[
        losses["household_id"].notna() & (pd.to_datetime(losses["known_on"]) <= pd.Timestamp(day))
    ]
    if county.has("unrecorded"):
        t = county.frame("unrecorded")
        t = t[pd.to_datetime(t["known_on"]) <= pd.Timestamp(day)]
        # What a rejected row takes off is told with the row, where there is one.
        told = pd.MultiIndex.from_frame(losses.loc[losses["kind"] != "cell", ["household_id", "table"]])
        mine = pd.MultiIndex.from_frame(t[["household_id", "of"]]).isin(told)
        t = t[~((t["why"] == "row_rejected").to_numpy() & mine)]
        t = t.assign(kind="unrecorded", table=t["of"], reason=t["why"], file="", column="")
        if len(t):
            losses = pd.concat([losses.astype(object), t.reindex(columns=losses.columns).astype(object)])
    if losses.empty:
        return losses
    who = county_lineage(county, day, day)
    return losses.assign(own_id=losses["household_id"], household_id=losses["household_id"].map(who.current))


def _named(losses: pd.DataFrame) -> pd.DataFrame:
    """Return what happened to each household's rows, and which they are: ``household_id, why, rows``."""
    counts = losses.groupby(["household_id", "kind", "reason"], dropna=False).size().rename("n").reset_index()
    counts["why"] = counts["kind"] + " (" + counts["reason"].fillna("") + ") " + counts["n"].astype(str)
    why = counts.groupby("household_id")["why"].agg("; ".join)
    there = losses[losses["row"].notna()].drop_duplicates(["household_id", "file", "row", "column"])
    column = there["column"].fillna("").astype(str)
    texts = there["file"].astype(str) + " " + there["row"].astype("int64").astype(str) + " " + column
    rows = texts.str.strip().groupby(there["household_id"]).agg(_first_rows)
    return pd.DataFrame({"why": why, "rows": rows}).fillna("").reset_index(names="household_id")


def _first_rows(texts: pd.Series) -> str:
    more = f"; … ({len(texts)})" if len(texts) > _MOST_ROWS else ""
    return "; ".join(texts.iloc[:_MOST_ROWS]) + more


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
    out["flagged_if"] = _each(out["flagged_if"], readings | _cell_words(out["flagged_if"], lang))
    for column in ("category", "verdict_if_both"):
        out[column] = _categories(out, column, lang)
    out["doubts"] = ["; ".join(name_reasons(doubts, lang)) for doubts in out["doubts"]]
    for kind, word in words["kinds"].items():
        out["why"] = out["why"].str.replace(rf"\b{kind} \(", f"{word} (", regex=True)
    return out.rename(columns=words["columns"])


def _cell_words(flagged_if: pd.Series, lang: Language) -> dict[str, str]:
    """Return the words for ``column=value`` of optional cells."""
    out = {}
    for part in {p for parts in flagged_if for p in parts.split(";") if "=" in p}:
        column, value = part.split("=", 1)
        home = next(t for t, spec in contract().tables.items() if column in spec.columns)
        name = contract().tables[home].columns[column].zh if lang == "zh" else column
        out[part] = f"{name}={code_words(home, column, value)[lang]}"
    return out


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
