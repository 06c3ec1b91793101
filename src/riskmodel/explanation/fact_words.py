"""Facts in words, and what follows from them: questions to settle and measures to be looked into.

Nothing of a model is asked for here, so that collectors can be given what these functions return.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from riskmodel import rules
from riskmodel.data import code_words
from riskmodel.explanation.card import STATES
from riskmodel.explanation.facts import FactWording, fact_wording
from riskmodel.explanation.wording import MeasureLibrary, load_measures
from riskmodel.i18n import Language, check_language, text
from riskmodel.io import records
from riskmodel.register import NATURAL_CHANGE, category_code, category_name, change_reason

Reader = Literal["office", "village"]
CARD = {"person": "members", "support": "support", "visit": "visits"}  # kind of row to part of the sheet
GENERAL = ("income", "other")  # asked about where no fact leads to a cause
CHANNEL = "household_application"  # who applied is told with the event; how else it was found is not


@dataclass(frozen=True)
class FactSheet:
    """What is told of one household by its records alone.

    Parameters
    ----------
    facts
        Sentences, in the order of `riskmodel.explanation.find_facts`.
    questions
        To settle at the visit; never empty.
    measures
        To be looked into once the visit has confirmed; empty where no fact leads to a cause.
    members, support, visits
        Who is present, what support there is or was, what earlier visits found, the latest first.
    """

    facts: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    support: tuple[str, ...] = ()
    visits: tuple[str, ...] = ()


def write_fact_sheets(
    facts: pd.DataFrame,
    household_ids: Sequence[str],
    lang: str = "zh",
    reader: Reader = "office",
    library: MeasureLibrary | None = None,
) -> dict[str, FactSheet]:
    """Say the facts of some households, with the questions and measures that follow from them.

    Parameters
    ----------
    facts
        From `riskmodel.explanation.find_facts`.
    household_ids
        Whom to tell of; a household without facts is asked the general questions.
    lang
        ``zh`` or ``en``.
    reader
        ``village`` leaves out the line, its amount and the income's side of it: a paper that is read there
        tells no target figure, and not why the household is on the list.
    library
        The office's measures and questions; the packaged ones by default.

    Returns
    -------
    dict
        Household to what is told of it.
    """
    language, library = check_language(lang), library or load_measures()
    told: dict[str, list[dict[str, Any]]] = {i: [] for i in household_ids}
    wanted = facts[facts["household_id"].isin(list(told))]
    for row in records(wanted):
        told[row["household_id"]].append(row)
    return {i: _sheet(rows, language, reader, library) for i, rows in told.items()}


def general_sheet(lang: Language, library: MeasureLibrary) -> FactSheet:
    """Return what is asked of a household of which nothing is known."""
    return FactSheet(questions=tuple(library.questions(GENERAL, lang)))


def _sheet(
    rows: Sequence[Mapping[str, Any]], lang: Language, reader: Reader, library: MeasureLibrary
) -> FactSheet:
    # Where nobody is present it has first to be cleared up whether anybody is left to be helped.
    causes = [] if any(r["kind"] == "nobody" for r in rows) else causes_of_facts(rows)
    return FactSheet(
        facts=tuple(say_facts(rows, lang, reader)),
        questions=tuple(_questions(rows, causes, lang, library)),
        measures=tuple(library.measures(causes, lang)),
        **{
            part: tuple(_card_line(r, lang) for r in rows if r["kind"] == kind) for kind, part in CARD.items()
        },
    )


def _card_line(row: Mapping[str, Any], lang: Language) -> str:
    """Return a member, a measure of support or an earlier visit as one line of a card."""
    words = {name: w.text(lang) for name, w in fact_wording().card.items()}
    comma = fact_wording().words["comma"].text(lang)
    if row["kind"] == "person":
        states = zip(STATES, row["detail"].split(";"), strict=True)
        # That somebody is healthy or not at school is no news to a reader.
        listed = [
            _code("members", c, code, lang) for c, code in states if code not in ("", "none", "healthy")
        ]
        if row["detail"].split(";")[STATES.index("work_capacity")] == "none":
            listed.append(_code("members", "work_capacity", "none", lang))
        relation = _code("members", "relation", row["code"], lang) if row["code"] else words["unnamed"]
        said = words["listed"].replace("{listed}", comma.join(listed)) if listed else ""
        return _filled(words["person"], relation=relation, age=_whole(row["count"]), listed=said)
    if row["kind"] == "visit":
        outcome = _code("visits", "outcome", row["code"], lang)
        causes = [_code("risk_events", "cause", c, lang) for c in row["detail"].split(";") if c]
        return comma.join([_filled(words["visit"], date=_day(row["date"]), outcome=outcome), *causes])
    measure = _code("support", "measure", row["code"], lang)
    parts = [
        _filled(words["by" if row["month_only"] else "support"], date=_day(row["date"]), measure=measure)
    ]
    if row["amount"] > 0:
        parts += fact_wording().units["yuan"].texts(np.array([row["amount"]]), lang)
    if not pd.isna(row["until"]):
        parts.append(_filled(words["until"], until=_day(row["until"])))
    return comma.join(parts)


def _code(table: str, column: str, code: str, lang: Language) -> str:
    return code_words(table, column, code, spaced=True)[lang]


def _filled(phrase: str, **values: str) -> str:
    for key, value in values.items():
        phrase = phrase.replace("{" + key + "}", value)
    return phrase


def causes_of_facts(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the causes that one household's facts lead to, each once, in the order of the facts.

    A general one stands only where no fact leads to a particular one.
    """
    leads, out = fact_wording().leads_to, dict[str, None]()
    for row in rows:
        to = leads.get(row["kind"], {})
        if row["kind"] == "register":
            # Of a household that has left the register the causes of then are no longer a fact.
            if row["count"] == 1:
                out |= dict.fromkeys(c.strip() for c in row["against"].split(";") if c.strip())
        elif to == "own":
            out[row["code"]] = None
        elif isinstance(to, dict) and row["code"] in to:
            out[to[row["code"]]] = None
    particular = [c for c in out if c not in GENERAL]
    return particular or list(out)


def _questions(
    rows: Sequence[Mapping[str, Any]], causes: list[str], lang: Language, library: MeasureLibrary
) -> list[str]:
    """Return what to ask: about the causes, open warnings and what is not on record, or the general."""
    ask, kinds = fact_wording().ask, {r["kind"] for r in rows if r["kind"] != "warning" or _is_open(r)}
    if any(r["kind"] == "nobody" for r in rows):
        clear = any(r["code"] == NATURAL_CHANGE for r in rows if r["kind"] == "nobody")
        return [] if clear else [ask["nobody"].text(lang)]
    asked = [ask[k].text(lang) for k in ("warning",) if k in kinds]
    asked += library.questions(causes, lang)
    asked += [ask[k].text(lang) for k in ("unrecorded",) if k in kinds]
    return list(dict.fromkeys(asked)) or library.questions(GENERAL, lang)


def _is_open(warning: Mapping[str, Any]) -> bool:
    return pd.isna(warning["until"])


def say_facts(rows: Sequence[Mapping[str, Any]], lang: Language, reader: Reader = "office") -> list[str]:
    """Return one household's facts as sentences; a cost stands on the line of the event it belongs to."""
    say = _Sayer(lang, reader)
    costs = {r["code"]: r for r in rows if r["kind"] == "cost"}
    out = []
    for row in rows:
        if row["kind"] in CARD:
            continue
        if row["kind"] == "event":
            own = costs.pop(say.wording.told_with.get(row["code"], ""), None)
            parts = [say.event(row), *([say.cost(own)] if own else [])]
            out.append(say.word("stop").join(parts))
        elif row["kind"] == "cost":
            out += [say.cost(row)] if row["code"] in costs else []
        else:
            out.append(getattr(say, row["kind"])(row))
    return [text[:1].upper() + text[1:] for text in out]


class _Sayer:
    """Sentences of one language for one reader, a method a kind of fact."""

    def __init__(self, lang: Language, reader: Reader) -> None:
        self.lang: Language = lang
        self.reader = reader
        self.wording: FactWording = fact_wording()

    def word(self, name: str, **values: object) -> str:
        """Return a phrase with its places filled in."""
        out = self.wording.words[name].text(self.lang)
        for key, value in values.items():
            out = out.replace("{" + key + "}", str(value))
        return out

    def amount(self, value: float, baseline: float | None = None) -> str:
        """Return yuan; with cents where rounding would make it equal to what it is compared with."""
        units = self.wording.units
        rounded = units["yuan"].texts(np.array([value]), self.lang)[0]
        if baseline is None or value == baseline or not np.isfinite(baseline):
            return rounded
        alike = rounded == units["yuan"].texts(np.array([baseline]), self.lang)[0]
        return units["cents"].texts(np.array([value]), self.lang)[0] if alike else rounded

    def period(self, row: Mapping[str, Any]) -> str:
        """Return the span of a sum in brackets."""
        span = {k: row[k] for k in ("period_from", "period_to")}
        return self.word("period", **span) if all(span.values()) else ""

    def before(self, row: Mapping[str, Any]) -> str:
        """Return what the period before is called."""
        return self.word("year_before" if row["yearly"] else "period_before")

    def nobody(self, row: Mapping[str, Any]) -> str:
        """Return that nobody is present, and whether that is clear."""
        if row["code"] != NATURAL_CHANGE:
            return self.word("to_clarify", why=text(f"register.empty.{row['detail']}", self.lang))
        reasons = [change_reason("decrease", r, self.lang) for r in row["against"].split(";")]
        return self.word("natural_change", reasons=self.word("and").join(reasons), date=_day(row["date"]))

    def event(self, row: Mapping[str, Any]) -> str:
        """Return cause, day, loss, and that the household applied itself."""
        cause = code_words("risk_events", "cause", row["code"], spaced=True)[self.lang]
        parts = [self.word("event", cause=cause, date=_day(row["date"]))]
        if row["amount"] > 0:
            parts.append(self.word("loss", amount=self.amount(row["amount"])))
        if row["detail"] == CHANNEL:
            channel = code_words("risk_events", "channel", CHANNEL, spaced=True)[self.lang]
            parts.append(self.word("channel", channel=channel))
        return self.word("comma").join(parts)

    def warning(self, row: Mapping[str, Any]) -> str:
        """Return a department's warning and whether it was answered by a visit."""
        said = {"date": _day(row["date"]), "department": row["detail"] or self.word("department")}
        if _is_open(row):
            return self.word("warning", **said)
        return self.word("warning_done", checked=_day(row["until"]), **said)

    def gap(self, row: Mapping[str, Any]) -> str:
        """Return what is missing of the guarantees."""
        return self.word(f"gap_{row['code']}", count=_whole(row["count"]))

    def cost(self, row: Mapping[str, Any]) -> str:
        """Return a cost, its span, and what it is of the household's net income."""
        if row["code"] == "rigid":
            said = self.word("rigid", amount=self.amount(row["amount"]), period=self.period(row))
        else:
            what = rules.quantity_words(f"spending_{row['code']}", self.lang)
            said = self.word("cost", what=what, amount=self.amount(row["amount"]), period=self.period(row))
        return said + self.word("comma") + self.compared(row)

    rigid = cost

    def compared(self, row: Mapping[str, Any]) -> str:
        """Return a cost's ratio to an income, or why there is none."""
        name, _, why = row["against"].partition(":")
        whose = self.before(row) if name == "previous" else self.word("same_period")
        if why:
            words = {"low": "low", "loss": "loss_income", "unknown": "no_income"}
            return self.word(words[why], whose=whose)
        units, most = self.wording.units, self.wording.limits.most_times
        ratio, unit = row["ratio"], "times" if row["ratio"] >= 1 else "share"
        if ratio > most:
            most_said = units["times"].texts(np.array([most]), self.lang)[0].replace(".0", "")
            return self.word("more_than", whose=whose, ratio=most_said)
        said = units[unit].texts(np.array([ratio]), self.lang)[0]
        return self.word(unit, whose=whose, ratio=said)

    def income(self, row: Mapping[str, Any]) -> str:
        """Return net income per head, its span, and on which side of the line it lies."""
        amount = self.amount(row["amount"], row["compared"])
        said = self.word("income", amount=amount, period=self.period(row))
        if not row["code"]:
            return said
        if self.reader == "village":
            return said  # the side of the line is what a rule flags by: it would tell why it is on the list
        line = self.amount(row["compared"], row["amount"])
        return said + self.word("comma") + self.word(row["code"], line=line)

    def reference(self, row: Mapping[str, Any]) -> str:
        """Return the income that inclusion is looked at by."""
        return self.word("reference", amount=self.amount(row["amount"]))

    def drop(self, row: Mapping[str, Any]) -> str:
        """Return a fall of income per head; one into a loss has no share."""
        amounts = {"before": self.before(row), "compared": self.amount(row["compared"])}
        if row["amount"] < 0:
            return self.word("drop_to_loss", amount=self.amount(-row["amount"]), **amounts)
        share = self.wording.units["share"].texts(np.array([row["ratio"]]), self.lang)[0]
        return self.word("drop", amount=self.amount(row["amount"]), share=share, **amounts)

    def register(self, row: Mapping[str, Any]) -> str:
        """Return the latest register row with category and causes as written."""
        causes = [c.strip() for c in row["against"].split(";") if c.strip()]
        named = [code_words("risk_events", "cause", c, spaced=True)[self.lang] for c in causes]
        category = category_name(category_code(row["detail"]), self.lang) if row["detail"] else ""
        listed = self.word("and").join([*([category] if category else []), *named])
        date = _day(row["date"])[: 7 if row["month_only"] else 10]
        event = code_words("monitoring", "event", row["code"], spaced=True)[self.lang]
        return self.word("register", date=date, event=event, listed=self.word("listed", listed=listed)
                         if listed else "")  # fmt: skip

    def member(self, row: Mapping[str, Any]) -> str:
        """Return how many members are seriously ill or disabled."""
        return self.word(row["code"], count=_whole(row["count"]))

    def figure(self, row: Mapping[str, Any]) -> str:
        """Return a figure that a condition looks at."""
        return rules.name_quantity(row["code"], row["amount"], self.lang) + self.period(row)

    def unrecorded(self, row: Mapping[str, Any]) -> str:
        """Return what is not on record."""
        if row["code"] == "income":
            why = self.word("and").join(rules.name_reasons(row["detail"], self.lang)) or "–"
            return self.word("income_unknown", why=why)
        names = {"members": "members_unknown", "risk_events": "no_events", "spending": "no_spending"}
        return self.word(names[row["code"]], count=_whole(row["count"]))


def _day(value: object) -> str:
    return f"{pd.Timestamp(value):%Y-%m-%d}"  # type: ignore[arg-type]


def _whole(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.0f}"
