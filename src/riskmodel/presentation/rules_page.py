"""Writing the page of rules: what is in force, this month's verdicts, what changed since before and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from riskmodel import __version__
from riskmodel.data import County, codes
from riskmodel.households import DateLike
from riskmodel.i18n import section
from riskmodel.io import files
from riskmodel.presentation import rules_tables, rules_view
from riskmodel.presentation.inputs import ReportInput
from riskmodel.presentation.rules_view import RulesView
from riskmodel.presentation.tables import NOTHING, Cell, Head, Row, Table
from riskmodel.presentation.words import LANGS, filled, templates
from riskmodel.rules import RuleSet

FORMAT = 1
PAGE = "rules.html"


def write_rules_page(
    county: County,
    ruleset: str | Path | RuleSet,
    as_of: DateLike,
    out: str | Path,
    *,
    since: DateLike | None = None,
    params: Mapping[str, Any] | None = None,
    scores: pd.DataFrame | str | Path | None = None,
    verdicts: pd.DataFrame | None = None,
    lang: str = "zh",
) -> Path:
    """Write the page of rules into a folder, with its tables beside it.

    Parameters
    ----------
    county : County
    ruleset : str, Path or RuleSet
    as_of : date or ISO text
    out : str or Path
        Folder: ``rules.html``, ``tables/rules-{changes,townships,conditions,parameters}.csv``.
    since : date or ISO text, optional
        A month before by default.
    params, scores
        As in `riskmodel.rules.evaluate`.
    verdicts : DataFrame, optional
        Those of ``as_of``, where they were computed already.
    lang : str
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
    view = rules_view.rules_view(
        county, ruleset, as_of, since, params=params, scores=scores, verdicts=verdicts
    )
    frames = {
        "changes": view.changes,
        "townships": rules_view.by_township(view),
        "conditions": rules_view.ids_held(view, "conditions", list(view.ruleset.conditions)),
        "parameters": view.parameters,
    }
    for name, frame in frames.items():
        files.write_table(frame, folder / "tables" / f"rules-{name}.csv")
    return files.write_text(rules_html(view, lang), folder / PAGE)


def with_rules(
    given: ReportInput,
    county: County,
    ruleset: str | Path | RuleSet,
    as_of: DateLike,
    out: str | Path,
    *,
    params: Mapping[str, Any] | None = None,
    verdicts: pd.DataFrame | None = None,
    lang: str = "zh",
) -> ReportInput:
    """Write the page of rules into a report's folder, and let the report point to it.

    Parameters
    ----------
    given : ReportInput
    county, ruleset, as_of, out, params, verdicts, lang
        As in `write_rules_page`.

    Returns
    -------
    ReportInput
    """
    written = write_rules_page(county, ruleset, as_of, out, params=params, verdicts=verdicts, lang=lang)
    return replace(given, rules_page=written.name)


def rules_html(view: RulesView, lang: str = "zh") -> str:
    """Return the page of rules as text.

    Parameters
    ----------
    view : RulesView
    lang : str

    Returns
    -------
    str
    """
    home = templates()
    words = section("rules_page")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(home), autoescape=True, undefined=jinja2.StrictUndefined
    )
    ruleset = view.ruleset
    return environment.get_template("rules.html.j2").render(
        lang=lang,
        version=__version__,
        format=FORMAT,
        css=Markup((home / "report.css").read_text(encoding="utf-8")),
        js=Markup((home / "report.js").read_text(encoding="utf-8")),
        title={"zh": ruleset.name_zh, "en": ruleset.name_en},
        subtitle=filled(words["page"]["subtitle"], where=_both(ruleset.jurisdiction), **_days(view)),
        page=words["page"],
        headline=_headline(view, words),
        numbers=_numbers(view),
        early=filled(words["page"]["early"], day=str(ruleset.valid_from)) if _early(view) else None,
        size=_size(view, words),
        categories=rules_tables.categories(view, words),
        townships=rules_tables.townships(view, words),
        counts=rules_tables.counts(view, words),
        changed=rules_tables.changed(view, words),
        line=filled(words["page"]["line"], line=_line(view)),
        conditions=rules_tables.conditions(view, words),
        parameters=rules_tables.parameters(view, words),
        procedure=[_both(step) for step in ruleset.procedure],
        clocks=_clocks(view, words),
        notes=[_both(note) for note in ruleset.notes],
        origin=_origin(view, words),
    )


def _both(thing: Any) -> dict[str, str]:
    return {lang: getattr(thing, lang) for lang in LANGS}


def _days(view: RulesView) -> dict[str, str]:
    return {"day": f"{view.as_of:%Y-%m-%d}", "since": f"{view.since:%Y-%m-%d}"}


def _early(view: RulesView) -> bool:
    return view.as_of.date() < view.ruleset.valid_from


def _headline(view: RulesView, words: Mapping[str, Any]) -> dict[str, str]:
    v = view.verdicts
    return filled(
        words["page"]["verdict"],
        n=f"{len(v):,}",
        flagged=f"{v['flagged'].sum():,}",
        persons=f"{int(v.loc[v['flagged'], 'persons'].sum()):,}",
        unknown=f"{(v['category'] == 'unknown').sum():,}",
        since=_days(view)["since"],
        changed=f"{len(view.changes):,}",
    )


def _numbers(view: RulesView) -> dict[str, str]:
    kinds = view.changes["kind"]
    return {
        "now": f"{view.verdicts['flagged'].sum():,}",
        "new": f"{(kinds == 'newly_flagged').sum():,}",
        "gone": f"{(kinds == 'no_longer_flagged').sum():,}",
    }


def _line(view: RulesView) -> str:
    lines = view.verdicts["line"].dropna().unique()
    return f"{lines[0]:,.2f}".removesuffix(".00") if len(lines) else NOTHING


def _size(view: RulesView, words: Mapping[str, Any]) -> dict[str, str] | None:
    """Say how many persons were found among the registered ones, where the set expects a share."""
    if view.size is None or view.size.empty or view.ruleset.size_check is None:
        return None
    row, kind = view.size.iloc[0], view.ruleset.size_check.denominator
    answer = "nobody" if pd.isna(row["within"]) else "within" if row["within"] else "outside"
    share = NOTHING if pd.isna(row["share"]) else f"{row['share']:.1%}"
    return filled(
        words["page"]["size"],
        found=f"{int(row['flagged_persons']):,}",
        registered=f"{int(row['registered_persons']):,}",
        whom={"zh": codes("households", "registration")[kind], "en": kind},
        share=share,
        answer=words["values"][answer],
        **{name: f"{row[name]:.0%}" for name in ("expected", "low", "high")},
    )


def _clocks(view: RulesView, words: Mapping[str, Any]) -> Table:
    columns = words["columns"]
    heads = [Head(columns["clock"], text=True), Head(columns["limit"]), Head(columns["source"], text=True)]
    rows = []
    for c in view.ruleset.clocks:
        length = {lang: f"{c.limit:g} {words['units'][c.unit][lang]}" for lang in LANGS}
        rows.append(Row([Cell(words=_both(c), small=c.id), Cell(words=length), Cell(c.source)]))
    return Table(heads, rows)


def _origin(view: RulesView, words: Mapping[str, Any]) -> list[dict[str, Any]]:
    values: dict[str, Any] = {
        "ruleset": view.ruleset.id,
        "valid_from": str(view.ruleset.valid_from),
        "source": view.ruleset.source,
        "jurisdiction": _both(view.ruleset.jurisdiction),
        "as_of": _days(view)["day"],
        "since": _days(view)["since"],
        "fingerprint": view.fingerprint,
    }
    return [
        {"name": words["origin"][k], "value": v if isinstance(v, Mapping) else dict.fromkeys(LANGS, v)}
        for k, v in values.items()
    ]
