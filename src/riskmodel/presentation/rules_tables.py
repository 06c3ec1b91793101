"""The page of rules as tables for people, in words of both languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from riskmodel import rules
from riskmodel.data import codes
from riskmodel.i18n import section
from riskmodel.presentation import rules_view
from riskmodel.presentation.rules_view import RulesView
from riskmodel.presentation.tables import NOTHING, Cell, Head, Row, Table, number
from riskmodel.presentation.words import LANGS, filled

Words = Mapping[str, str]
MOST = 200  # rows of one kind of change on the page; the file beside it holds all


def _table(book: Mapping[str, Any], heads: Sequence[str], rows: list[Row], text: Sequence[str]) -> Table:
    return Table([Head(book["columns"][h], text=h in text) for h in heads], rows)


def _both(thing: Any) -> Words:
    return {lang: getattr(thing, lang) for lang in LANGS}


def _registrations(names: Sequence[str]) -> Words:
    zh = codes("households", "registration")
    return {"zh": "、".join(zh[n] for n in names), "en": ", ".join(names)}


def categories(view: RulesView, book: Mapping[str, Any]) -> Table:
    """Return what each category and tier means, whom it counts, and how many there are now."""
    named = {c.id: c for c in view.ruleset.categories}
    tiers = {t.id: t for t in view.ruleset.tiers}
    rows = []
    for row in rules_view.by_category(view).to_dict("records"):
        found = named.get(row["category"])
        words = _both(found) if found else book["values"][row["category"]]
        meant = Cell(words=_registrations(found.registration)) if found else Cell(NOTHING)
        rows.append(_counted(row, words, meant, found.source if found else NOTHING, row["category"], book))
    for row in rules_view.by_tier(view).to_dict("records"):
        tier = tiers[row["tier"]]
        rows.append(_counted(row, _both(tier), Cell(NOTHING), tier.source, row["tier"], book))
    heads = ("verdict", "registration", "counted", "households", "persons", "source")
    return _table(book, heads, rows, ("verdict", "registration", "counted", "source"))


def _counted(row: Mapping[Any, Any], words: Words, meant: Cell, source: str, name: str, book: Any) -> Row:
    yes = Cell(words=book["values"]["yes" if row["flagged"] else "no"])
    numbers = [Cell(number(row["households"])), Cell(number(row["persons"]))]
    return Row([Cell(words=words, small=name), meant, yes, *numbers, Cell(source)], best=row["flagged"])


def conditions(view: RulesView, book: Mapping[str, Any]) -> Table:
    """Return each condition: what it says, its expression and paragraph, how many it holds for."""
    ids = list(view.ruleset.conditions)
    held = rules_view.ids_held(view, "conditions", ids)["households"]
    unclear = rules_view.ids_held(view, "unknown", ids)["households"]
    rows = []
    for (name, c), yes, unknown in zip(view.ruleset.conditions.items(), held, unclear, strict=True):
        cells = [Cell(words=_both(c), small=name), Cell(c.when), Cell(number(yes)), Cell(number(unknown))]
        rows.append(Row([*cells, Cell(c.source)]))
    heads = ("condition", "expression", "holds", "unclear", "source")
    return _table(book, heads, rows, ("condition", "expression", "source"))


def parameters(view: RulesView, book: Mapping[str, Any]) -> Table:
    """Return each parameter with its value, whether it is assumed or overridden, and its paragraph."""
    rows = []
    for row in view.parameters.to_dict("records"):
        own = "overridden" if row["name"] in view.overridden else "assumed" if row["assumption"] else "stated"
        cells = [
            Cell(words={x: row[x] for x in LANGS}, small=row["name"]),
            Cell(f"{row['value']} {row['unit']}"),
        ]
        rows.append(Row([*cells, Cell(words=book["values"][own]), Cell(row["source"])], best=own != "stated"))
    return _table(
        book, ("parameter", "value", "standing", "source"), rows, ("parameter", "standing", "source")
    )


def townships(view: RulesView, book: Mapping[str, Any]) -> Table:
    """Return verdicts and changes by township, with a last row of totals."""
    frame = rules_view.by_township(view)
    names = [c for c in frame.columns if c != "township"]
    rows = [
        Row([Cell(str(r["township"])), *(Cell(number(r[c])) for c in names)])
        for r in frame.to_dict("records")
    ]
    totals = [Cell(number(int(frame[c].sum()))) for c in names]
    rows.append(Row([Cell(words=book["values"]["total"]), *totals], best=True))
    heads = [Head(book["columns"]["township"], text=True)]
    heads += [Head(book["kinds"][c] if c in book["kinds"] else book["columns"][c]) for c in names]
    return Table(heads, rows)


def counts(view: RulesView, book: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return further counts that the set gives: outcomes, focus groups, bands, why incomes are unknown."""
    ruleset, out = view.ruleset, []
    outcomes = {str(v.outcome): _both(v) for v in ruleset.outcomes}
    focus = rules_view.ids_held(view, "focus", list(ruleset.focus))
    reasons: dict[str, Words] = section("rules.reasons")
    for key, frame, named in (
        ("outcomes", rules_view.values_held(view, "outcome"), outcomes),
        ("focus", focus, {i: _both(c) for i, c in ruleset.focus.items()}),
        ("bands", rules_view.values_held(view, "income_band"), {}),
        ("no_income", rules_view.values_held(view, "income_reason"), reasons),
    ):
        rows = [
            Row([Cell(words=named[i], small=i) if i in named else Cell(i), Cell(number(n))])
            for i, n in zip(frame["id"], frame["households"], strict=True)
        ]
        if rows:
            made = _table(book, ("group", "households"), rows, ("group",))
            out.append({"title": book["counts"][key], "table": made})
    return out


def changed(view: RulesView, book: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a table per kind of change: which household, from what to what, and why."""
    out = []
    for kind in rules.changes_by_township(view.changes).columns[1:]:
        frame = view.changes[view.changes["kind"] == kind]
        if frame.empty:
            continue
        rows = [_change(view, row, book) for row in frame.head(MOST).to_dict("records")]
        heads = ("household", "township", "from_to", "why")
        title = filled(book["page"]["kind"], kind=book["kinds"][kind], n=f"{len(frame):,}")
        cut = filled(book["page"]["cut"], n=MOST) if len(frame) > MOST else None
        out.append({"id": kind, "title": title, "table": _table(book, heads, rows, heads), "cut": cut})
    return out


def _change(view: RulesView, row: Mapping[Any, Any], book: Mapping[str, Any]) -> Row:
    why = {lang: rules.tell_change(view.ruleset, row, lang) for lang in LANGS}  # type: ignore[arg-type]
    before, after = (_verdict(view, row, end, book) for end in ("_before", ""))
    moved = {lang: f"{before[lang]} → {after[lang]}" for lang in LANGS}
    home = Cell(str(row["household_id"]), small=str(row["village"]))
    return Row([home, Cell(str(row["township"])), Cell(words=moved), Cell(words=why)])


def _verdict(view: RulesView, row: Mapping[Any, Any], end: str, book: Mapping[str, Any]) -> Words:
    category, tier, outcome = (row[f"{name}{end}"] for name in ("category", "tier", "outcome"))
    if pd.isna(category):
        return book["values"]["absent"]
    named = {c.id: _both(c) for c in view.ruleset.categories} | {t.id: _both(t) for t in view.ruleset.tiers}
    first = named.get(category, book["values"].get(category, dict.fromkeys(LANGS, str(category))))
    parts = [first] if category != "none" or not (tier or outcome) else []
    parts += [named.get(tier, dict.fromkeys(LANGS, str(tier)))] if tier else []
    parts += [book["outcomes"][outcome]] if outcome else []
    return {lang: {"zh": "，", "en": ", "}[lang].join(p[lang] for p in parts) for lang in LANGS}
