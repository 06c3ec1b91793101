"""The page of rules: what is in force, this month's verdicts, what changed since before and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel import rules
from riskmodel.data import County, code_words, snapshot_message
from riskmodel.households import DateLike, KnownCounty, known_county, to_date, window_end
from riskmodel.i18n import Nouns, join, pair, section
from riskmodel.io import write_table, write_text
from riskmodel.presentation.page import (
    LANGS,
    Bullets,
    Facts,
    Heading,
    Numbers,
    PageSection,
    PageWords,
    Paragraph,
    Part,
    page_html,
)
from riskmodel.presentation.report_input import ReportInput
from riskmodel.presentation.table import NOTHING, Cell, Column, Row, Table, Text, Words, number
from riskmodel.rules import RuleSet

WORDS = PageWords("rules_page.page", "rules_page.columns")
FORMAT = 1
PAGE = "rules.html"
MOST = 200  # rows of one kind of change on the page; the file beside it holds all
TEXTS = ("verdict", "registration", "counted", "source", "condition", "expression", "parameter", "standing",
         "group", "household", "township", "from_to", "why", "clock")  # fmt: skip


@dataclass(frozen=True)
class RulesView:
    """Everything the page shows."""

    ruleset: RuleSet
    as_of: pd.Timestamp
    since: pd.Timestamp
    verdicts: pd.DataFrame
    changes: pd.DataFrame
    parameters: pd.DataFrame
    overridden: tuple[str, ...]
    size: pd.DataFrame | None
    fingerprint: str
    snapshot: dict[str, str] | None = None
    nouns: Nouns = field(default_factory=Nouns)

    @property
    def days(self) -> dict[str, str]:
        """The day of the verdicts and the one compared with, as text."""
        return {"day": f"{self.as_of:%Y-%m-%d}", "since": f"{self.since:%Y-%m-%d}"}


def write_rules_page(
    county: County | KnownCounty,
    ruleset: str | Path | RuleSet,
    as_of: DateLike,
    out: str | Path,
    *,
    since: DateLike | None = None,
    params: Mapping[str, Any] | None = None,
    scores: pd.DataFrame | str | Path | None = None,
    verdicts: pd.DataFrame | None = None,
    earlier_verdicts: pd.DataFrame | None = None,
    lang: str = "zh",
) -> Path:
    """Write the page of rules into a folder, with its tables beside it.

    Parameters
    ----------
    county
        Whose households are judged; or a `riskmodel.households.KnownCounty` of the day.
    ruleset : str, Path or RuleSet
        Id, file or the set itself.
    as_of : date or ISO text
        Day of the verdicts.
    out : str or Path
        Folder: ``rules.html``, ``tables/rules-{changes,townships,conditions,parameters}.csv``.
    since : date or ISO text, optional
        Day that the verdicts are compared with; a month before by default.
    params, scores
        As in `riskmodel.rules.evaluate_rules`.
    verdicts, earlier_verdicts : DataFrame, optional
        Those of ``as_of``, where they were computed already.
    lang : {"zh", "en"}
        Language the page opens in; it holds both.

    Returns
    -------
    Path
        The page. It loads nothing and holds no name of the machine or hour: the same input gives the same
        bytes.

    Raises
    ------
    UsageError
        If the rule set, a date or a parameter is wrong.
    """
    folder = Path(out)
    view = rules_view(
        county, ruleset, as_of, since, params=params, scores=scores, verdicts=verdicts,
        earlier_verdicts=earlier_verdicts,
    )  # fmt: skip
    frames = {
        "changes": view.changes,
        "townships": by_township(view),
        "conditions": ids_held(view, "conditions", list(view.ruleset.conditions)),
        "parameters": view.parameters,
    }
    for name, frame in frames.items():
        write_table(frame, folder / "tables" / f"rules-{name}.csv")
    return write_text(rules_html(view, lang), folder / PAGE)


def with_rules(
    given: ReportInput,
    county: County | KnownCounty,
    ruleset: str | Path | RuleSet,
    as_of: DateLike,
    out: str | Path,
    *,
    params: Mapping[str, Any] | None = None,
    verdicts: pd.DataFrame | None = None,
    earlier_verdicts: pd.DataFrame | None = None,
    lang: str = "zh",
) -> ReportInput:
    """Write the page of rules into a report's folder, let the report point to it, and say who was dropped.

    Parameters
    ----------
    given : ReportInput
        What the report shows so far.
    county, ruleset, as_of, out, params, verdicts, earlier_verdicts, lang
        As in `write_rules_page`.

    Returns
    -------
    ReportInput
        The same with its link, and with whom a row or cell that could not be used may have taken off a list.
    """
    written = write_rules_page(
        county, ruleset, as_of, out, params=params, verdicts=verdicts, lang=lang,
        earlier_verdicts=earlier_verdicts)  # fmt: skip
    known, chosen = known_county(county, as_of), rules.load_rules(ruleset)
    dropped = rules.find_dropped(known, chosen, params=params, verdicts=verdicts)
    return replace(given, rules_page=written.name, dropped=dropped)


def rules_view(
    county: County | KnownCounty,
    ruleset: str | Path | RuleSet,
    as_of: DateLike,
    since: DateLike | None = None,
    *,
    params: Mapping[str, Any] | None = None,
    scores: pd.DataFrame | str | Path | None = None,
    verdicts: pd.DataFrame | None = None,
    earlier_verdicts: pd.DataFrame | None = None,
) -> RulesView:
    """Return what the page of rules shows; parameters and errors as of `write_rules_page`."""
    chosen = rules.load_rules(ruleset)
    known = known_county(county, as_of)
    day = known.as_of
    before = to_date(since) if since is not None else window_end(day, -1)
    if verdicts is None:
        verdicts = rules.evaluate_rules(known, chosen, params=params, scores=scores)
    changes = rules.find_verdict_changes(
        known, chosen, before=before, params=params, scores=scores, verdicts=verdicts,
        earlier_verdicts=earlier_verdicts,
    )  # fmt: skip
    given, own = chosen.values(params), chosen.values()
    return RulesView(
        ruleset=chosen,
        as_of=pd.Timestamp(day),
        since=pd.Timestamp(before),
        verdicts=verdicts,
        changes=changes,
        parameters=rules.parameter_table(chosen, params),
        overridden=tuple(n for n in given if given[n] != own[n]),
        size=rules.check_size(verdicts, chosen, params) if chosen.size_check else None,
        fingerprint=known.fingerprint,
        snapshot=snapshot.both() if (snapshot := snapshot_message(known.county, day)) else None,
        nouns=Nouns.of(known.county.about),
    )


def by_verdict(view: RulesView, column: str) -> pd.DataFrame:
    """Count households and persons by category or tier, in the order of the set; also those with none."""
    v, ruleset = view.verdicts, view.ruleset
    if column == "category":
        names = [*(c.id for c in ruleset.categories), "none", "unknown"]
        flagged = ruleset.flagged_categories
    else:
        v = v[v["tier"] != ""]
        names, flagged = [t.id for t in ruleset.tiers], ruleset.flagged_tiers
    counted = v.groupby(column)["persons"].agg(households="size", persons="sum")
    out = counted.reindex(list(dict.fromkeys(names)), fill_value=0).rename_axis(column).reset_index()
    out.insert(1, "flagged", out[column].isin(flagged))
    return out.astype({"households": "int64", "persons": "int64"})


def by_township(view: RulesView) -> pd.DataFrame:
    """Count verdicts and changes by township."""
    v = view.verdicts
    t = v.assign(
        households=1,
        flagged_persons=v["persons"].where(v["flagged"], 0),
        flagged=v["flagged"].astype("int64"),
        unknown=(v["category"] == "unknown").astype("int64"),
    )
    sums = t.groupby("township")[["households", "flagged", "flagged_persons", "unknown"]].sum()
    moved = rules.count_changes_by_township(view.changes).set_index("township")
    return sums.join(moved, how="outer").fillna(0).astype("int64").reset_index()


def ids_held(view: RulesView, column: str, ids: list[str]) -> pd.DataFrame:
    """Count for how many households each id stands in a ``;``-joined column; ``id, households``."""
    parts = view.verdicts[column].str.split(";").explode()
    counts = parts[parts != ""].value_counts()
    return pd.DataFrame({"id": ids, "households": [int(counts.get(i, 0)) for i in ids]})


def values_held(view: RulesView, column: str) -> pd.DataFrame:
    """Count households by a column's values, empty ones left out, sorted; ``id, households``."""
    v = view.verdicts[column].dropna().astype(str)
    counts = v[v != ""].value_counts().sort_index()
    return pd.DataFrame({"id": counts.index, "households": counts.to_numpy()})


def rules_html(view: RulesView, lang: str = "zh") -> str:
    """Return the page of rules as text."""
    ruleset = view.ruleset
    where = pair(ruleset.jurisdiction)
    return page_html(
        pair(ruleset, "name"),
        [
            PageSection("headline", WORDS("headline"), _headline(view)),
            PageSection("verdicts", WORDS("verdicts"), _verdicts(view), wrap=True),
            PageSection("changes", WORDS("changes"), _changes(view), wrap=True),
            PageSection("rules", WORDS("rules"), _in_force(view), wrap=True),
            PageSection("origin", WORDS("origin"), [_origin(view)]),
        ],
        language=lang,
        kind=f"rules format {FORMAT}",
        above=WORDS("report"),
        below=WORDS("subtitle", where=where, **view.days),
        nouns=view.nouns,
    )


def _value(key: str) -> Words:
    words: Words = section("rules_page.values")[key]
    return words


def _headline(view: RulesView) -> list[Part]:
    v, kinds = view.verdicts, view.changes["kind"]
    verdict = WORDS(
        "verdict",
        n=f"{len(v):,}",
        flagged=f"{v['flagged'].sum():,}",
        persons=f"{int(v.loc[v['flagged'], 'persons'].sum()):,}",
        unknown=f"{(v['category'] == 'unknown').sum():,}",
        since=view.days["since"],
        changed=f"{len(view.changes):,}",
    )
    numbers = [
        (f"{v['flagged'].sum():,}", WORDS("now"), ""),
        (f"{(kinds == 'newly_flagged').sum():,}", WORDS("new"), ""),
        (f"{(kinds == 'no_longer_flagged').sum():,}", WORDS("gone"), ""),
    ]
    parts: list[Part] = [Paragraph(verdict, "verdict"), Numbers(numbers)]
    if view.as_of.date() < view.ruleset.valid_from:
        parts.append(Paragraph(WORDS("early", day=str(view.ruleset.valid_from)), "warn"))
    size = _size(view)
    return parts if size is None else [*parts, Paragraph(size, "note")]


def _verdicts(view: RulesView) -> list[Part]:
    parts: list[Part] = [categories_table(view), WORDS.note("verdicts")]
    parts += [Heading(WORDS("townships")), townships_table(view)]
    for title, table in count_tables(view):
        parts += [Heading(title), table]
    return parts


def _changes(view: RulesView) -> list[Part]:
    parts: list[Part] = [Paragraph(WORDS("not_published"), "warn")]
    tables = change_tables(view)
    parts.append(WORDS.note("changes") if tables else Paragraph(WORDS("no_changes"), "note"))
    for kind, title, table in tables:
        parts += [Heading(title, id=f"changes-{kind}"), table]
    return parts


def _in_force(view: RulesView) -> list[Part]:
    lines = view.verdicts["line"].dropna().unique()
    line = f"{lines[0]:,.2f}".removesuffix(".00") if len(lines) else NOTHING
    parts: list[Part] = [
        Paragraph(WORDS("line", line=line), "verdict"),
        Heading(WORDS("conditions")), conditions_table(view), WORDS.note("conditions"),
        Heading(WORDS("parameters")), parameters_table(view), WORDS.note("parameters"),
    ]  # fmt: skip
    steps = [pair(step) for step in view.ruleset.procedure]
    parts += [Heading(WORDS("procedure")), Bullets(steps, numbered=True)] if steps else []
    parts += [Heading(WORDS("clocks")), clocks_table(view)] if view.ruleset.clocks else []
    notes = [pair(note) for note in view.ruleset.notes]
    notes += [view.snapshot] if view.snapshot else []
    return [*parts, *([Heading(WORDS("notes")), Bullets(notes)] if notes else [])]


def _size(view: RulesView) -> dict[str, str] | None:
    """Say how many persons were found among the registered ones, where the set expects a share."""
    if view.size is None or view.size.empty or view.ruleset.size_check is None:
        return None
    row, kind = view.size.iloc[0], view.ruleset.size_check.denominator
    answer = "nobody" if pd.isna(row["within"]) else "within" if row["within"] else "outside"
    return WORDS(
        "size",
        found=f"{int(row['flagged_persons']):,}",
        registered=f"{int(row['registered_persons']):,}",
        whom=code_words("households", "registration", kind),
        share=NOTHING if pd.isna(row["share"]) else f"{row['share']:.1%}",
        answer=_value(answer),
        **{name: f"{row[name]:.0%}" for name in ("expected", "low", "high")},
    )


def _origin(view: RulesView) -> Facts:
    ruleset = view.ruleset
    values: dict[str, Text] = {
        "ruleset": ruleset.id,
        "valid_from": str(ruleset.valid_from),
        "source": ruleset.source,
        "jurisdiction": pair(ruleset.jurisdiction),
        "as_of": view.days["day"],
        "since": view.days["since"],
        "fingerprint": view.fingerprint,
    }
    names = section("rules_page.origin")
    return Facts([(names[k], v) for k, v in values.items()])


def _table(heads: Sequence[str], rows: Sequence[Row], note: Words | None = None) -> Table:
    return Table(WORDS.columns(*heads, text=TEXTS), rows, notes=() if note is None else (note,))


def categories_table(view: RulesView) -> Table:
    """Return what each category and tier means, whom it counts, and how many there are now."""
    declared = {c.id: c for c in view.ruleset.categories}
    tiers = {t.id: t for t in view.ruleset.tiers}
    rows = []
    for row in by_verdict(view, "category").to_dict("records"):
        category = declared.get(row["category"])
        words = pair(category) if category else _value(row["category"])
        whom = _registrations(category.registration) if category else NOTHING
        rows.append(_counted(row, words, whom, category.source if category else NOTHING, row["category"]))
    for row in by_verdict(view, "tier").to_dict("records"):
        tier = tiers[row["tier"]]
        rows.append(_counted(row, pair(tier), NOTHING, tier.source, row["tier"]))
    return _table(("verdict", "registration", "counted", "households", "persons", "source"), rows)


def _registrations(names: Sequence[str]) -> Words:
    return join(code_words("households", "registration", name) for name in names)


def _counted(row: Mapping[Any, Any], words: Words, whom: Text, source: str, name: str) -> Row:
    counts = [number(row["households"]), number(row["persons"])]
    yes = _value("yes" if row["flagged"] else "no")
    return Row([Cell(words, small=name), whom, yes, *counts, source], "best" if row["flagged"] else "")


def conditions_table(view: RulesView) -> Table:
    """Return each condition: what it says, its expression and paragraph, how many it holds for."""
    ids = list(view.ruleset.conditions)
    held = ids_held(view, "conditions", ids)["households"]
    unclear = ids_held(view, "unknown", ids)["households"]
    rows = [
        Row([Cell(pair(c), small=name), c.when, number(yes), number(unknown), c.source])
        for (name, c), yes, unknown in zip(view.ruleset.conditions.items(), held, unclear, strict=True)
    ]
    return _table(("condition", "expression", "holds", "unclear", "source"), rows)


def parameters_table(view: RulesView) -> Table:
    """Return each parameter with its value, whether it is assumed or overridden, and its paragraph."""
    rows = []
    for row in view.parameters.to_dict("records"):
        own = "overridden" if row["name"] in view.overridden else "assumed" if row["assumption"] else "stated"
        name = Cell({lang: row[lang] for lang in LANGS}, small=row["name"])
        cells = [name, f"{row['value']} {row['unit']}", _value(own), row["source"]]
        rows.append(Row(cells, "best" if own != "stated" else ""))
    return _table(("parameter", "value", "standing", "source"), rows)


def clocks_table(view: RulesView) -> Table:
    """Return the time limits of the procedure."""
    units = section("rules_page.units")
    rows = []
    for clock in view.ruleset.clocks:
        length = {lang: f"{clock.limit:g} {units[clock.unit][lang]}" for lang in LANGS}
        rows.append(Row([Cell(pair(clock), small=clock.id), length, clock.source]))
    return _table(("clock", "limit", "source"), rows)


def townships_table(view: RulesView) -> Table:
    """Return verdicts and changes by township, with a last row of totals."""
    frame = by_township(view)
    names = [c for c in frame.columns if c != "township"]
    rows = [Row([str(r["township"]), *(number(r[c]) for c in names)]) for r in frame.to_dict("records")]
    rows.append(Row([_value("total"), *(number(int(frame[c].sum())) for c in names)], "best"))
    words, kinds = section("rules_page.columns"), section("rules_page.kinds")
    heads = [Column(words["township"], "text"), *(Column(kinds.get(c) or words[c]) for c in names)]
    return Table(heads, rows)


def count_tables(view: RulesView) -> list[tuple[Words, Table]]:
    """Return further counts that the set gives: outcomes, focus groups, bands, why incomes are unknown."""
    ruleset = view.ruleset
    outcomes: dict[str, Words] = {str(v.outcome): pair(v) for v in ruleset.outcomes}
    groups: dict[str, Words] = {i: pair(c) for i, c in ruleset.focus.items()}
    reasons: dict[str, Words] = section("rules.reasons")
    counted = {
        "outcomes": (values_held(view, "outcome"), outcomes),
        "focus": (ids_held(view, "focus", list(ruleset.focus)), groups),
        "bands": (values_held(view, "income_band"), {}),
        "no_income": (values_held(view, "income_reason"), reasons),
        "records": (_late_or_doubtful(view), {**section("rules.doubts"), **section("rules_page.records")}),
    }
    titles = section("rules_page.counts")
    return [
        (titles[key], _table(("group", "households"), rows))
        for key, (frame, words) in counted.items()
        if (rows := [_group(i, n, words) for i, n in zip(frame["id"], frame["households"], strict=True)])
    ]


def _late_or_doubtful(view: RulesView) -> pd.DataFrame:
    """Count households judged on late records, by what is late or in doubt; ``id, households``."""
    v, late = view.verdicts, view.verdicts["lag_months"].fillna(0) > 0
    counts = {
        "late": int((late & v["pcni"].notna()).sum()),
        "depends": int(v["verdict_depends"].sum()),
        "incomplete": int(v["unknown"].str.contains("records_incomplete", regex=False).sum()),
    }
    doubts = ids_held(view, "doubts", list(section("rules.doubts")))
    frame = pd.concat([pd.DataFrame({"id": list(counts), "households": list(counts.values())}), doubts])
    return frame[frame["households"] > 0]


def _group(name: str, n: int, words: Mapping[str, Words]) -> Row:
    return Row([Cell(words[name], small=name) if name in words else name, number(n)])


def change_tables(view: RulesView) -> list[tuple[str, Words, Table]]:
    """Return kind, title and table of each kind of change: which household, from what to what, and why."""
    out: list[tuple[str, Words, Table]] = []
    for kind in rules.count_changes_by_township(view.changes).columns[1:]:
        frame = view.changes[view.changes["kind"] == kind]
        if frame.empty:
            continue
        rows = [_change(view, row) for row in frame.head(MOST).to_dict("records")]
        title = WORDS("kind", kind=section("rules_page.kinds")[kind], n=f"{len(frame):,}")
        cut = WORDS("cut", n=MOST) if len(frame) > MOST else None
        out.append((kind, title, _table(("household", "township", "from_to", "why"), rows, cut)))
    return out


def _change(view: RulesView, row: Mapping[Any, Any]) -> Row:
    why = {lang: rules.describe_change(view.ruleset, row, lang) for lang in LANGS}  # type: ignore[arg-type]
    before, after = (_verdict(view, row, end) for end in ("_before", ""))
    moved = {lang: f"{before[lang]} → {after[lang]}" for lang in LANGS}
    home = Cell(str(row["household_id"]), small=str(row["village"]))
    return Row([home, str(row["township"]), moved, why])


def _verdict(view: RulesView, row: Mapping[Any, Any], end: str) -> Words:
    """Return a verdict in words: category, tier and proposal, as far as there are."""
    category, tier, outcome = (row[f"{name}{end}"] for name in ("category", "tier", "outcome"))
    values = section("rules_page.values")
    if pd.isna(category):
        return _value("absent")
    declared = {c.id: pair(c) for c in view.ruleset.categories}
    declared |= {t.id: pair(t) for t in view.ruleset.tiers}
    first = declared.get(category, values.get(category, dict.fromkeys(LANGS, str(category))))
    parts = [first] if category != "none" or not (tier or outcome) else []
    parts += [declared.get(tier, dict.fromkeys(LANGS, str(tier)))] if tier else []
    parts += [section("rules_page.outcomes")[outcome]] if outcome else []
    return join(parts, by="comma")
