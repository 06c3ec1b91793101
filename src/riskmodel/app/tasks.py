"""What the page has done in a process of its own: check, train, make a month, take visits in.

Each takes ``say`` first and returns plain values, so that both go through a pipe.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from riskmodel.app.case_table import CaseRecords
    from riskmodel.rules import RuleSet
    from riskmodel.scoring import Settled, VisitImport

Say = Callable[[str], None]
EXPERIMENT = "county"


def check(say: Say, data: Path, out: Path, store: Path, lang: str) -> dict[str, Any]:
    """Check a county's tables; return what was found, and under ``model`` the one that is in charge."""
    from riskmodel.data import check_county
    from riskmodel.runs import CHAMPION, find_model

    say(f"1/2 {data.name}")
    summary, _ = check_county(data, out, lang=lang)
    say(f"2/2 {store.name}")
    model = find_model(f"{EXPERIMENT}@{CHAMPION}", store)
    return summary | {"model": f"{model.name}@{model.version}" if model else None}


def train(say: Say, data: Path, store: Path) -> dict[str, Any]:
    """Train the county's model; return the run's summary."""
    from riskmodel.data import read_county
    from riskmodel.runs import load_experiment, train

    return train(load_experiment(EXPERIMENT), read_county(data), store, progress=say).summary


def make_month(
    say: Say, data: Path, day: dt.date, out: Path, store: Path, options: dict[str, Any], names: Path | None
) -> dict[str, Any]:
    """Make a month; return its summary. The file of names is read and kept nowhere."""
    from riskmodel import month
    from riskmodel.scoring import read_names

    people = read_names(names) if names else None
    made = month.run_month(
        data, day, out, store=store, options=month.MonthOptions(**options), names=people, say=say
    )
    return made.summary


@dataclass(frozen=True)
class ListTaken:
    """What became of one filled workbook: what was taken in, or why it was refused."""

    name: str
    result: VisitImport | None
    error: str = ""


def take_lists(
    say: Say, files: Sequence[Path], data: Path, recorded_on: dt.date, months: Path
) -> list[ListTaken]:
    """Take filled workbooks in, each by itself: one that cannot be read keeps no other out."""
    from riskmodel.errors import RiskmodelError
    from riskmodel.scoring import import_visits

    out = []
    for number, path in enumerate(files, start=1):
        say(f"{number}/{len(files)} {path.name}")
        try:
            out.append(ListTaken(path.name, import_visits(path, data, recorded_on, lists=[months], say=say)))
        except RiskmodelError as exc:
            out.append(ListTaken(path.name, None, str(exc)))
    return out


def fill_forms(
    say: Say, data: Path, day: dt.date, month: Path, out: Path, names: Path | None
) -> list[dict[str, Any]]:
    """Fill the forms of the documents for a month; return what became of each. No score is read for it."""
    from riskmodel.cases import open_case_log
    from riskmodel.data import read_county
    from riskmodel.explanation import proposed_measures
    from riskmodel.forms import FormRecords, available_forms, read_month, write_forms
    from riskmodel.households import known_county
    from riskmodel.rules import load_rules
    from riskmodel.scoring import names_by_current_number, read_names

    made = read_month(month)
    known, log = known_county(read_county(data), day), open_case_log(data)
    people = names_by_current_number(read_names(names), known) if names else None
    records = FormRecords(
        known, load_rules(made.ruleset), made.params, names=people, visits=made.planned,
        measures=proposed_measures(), log=log if log.exists else None, processing=made.processing,
    )  # fmt: skip
    chosen = [form.id for form in available_forms().values() if not form.on_request]
    out_rows = []
    for number, form in enumerate(chosen, start=1):
        say(f"{number}/{len(chosen)} {available_forms()[form].zh}")
        for one in write_forms(records, out, [form]):
            out_rows.append({"id": one.id, "zh": one.zh, "entries": one.entries, "skipped": one.skipped})
    return out_rows


def settle(say: Say, settled: Sequence[Settled], data: Path, recorded_on: dt.date, log: Path) -> int:
    """Write what a person chose of contradictions; return how many corrections that made."""
    from riskmodel.scoring import settle_conflicts

    return settle_conflicts(settled, data, recorded_on, log)


def find_cases(
    say: Say, data: Path, day: dt.date, ruleset: str | RuleSet, params: Mapping[str, str]
) -> CaseRecords:
    """Find the county's cases as known at a day, with their steps. Nothing that scores is loaded for it."""
    from riskmodel.app.case_table import CaseRecords
    from riskmodel.cases import declared, open_case_book, open_case_log
    from riskmodel.data import read_county
    from riskmodel.households import known_county
    from riskmodel.rules import load_rules

    say(f"1/2 {data.name}")
    known = known_county(read_county(data), day)
    rules = load_rules(ruleset)
    say(f"2/2 {rules.id}")
    log = open_case_log(data)
    book = open_case_book(known, rules, log if log.exists else None, params=params)
    clocks = {clock.id: {"zh": clock.zh, "en": clock.en} for clock in rules.clocks}
    clocks |= {clock.id: {"zh": clock.zh, "en": clock.en} for clock in declared().clocks}
    found = book.cases.assign(township=book.cases["household_id"].map(known.townships))
    return CaseRecords(day.isoformat(), rules.id, found, book.steps, clocks)
