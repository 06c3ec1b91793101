"""Writing a report: one HTML page that needs nothing else, CSV tables, and SVG figures in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from riskmodel import __version__
from riskmodel.i18n import section
from riskmodel.io import files
from riskmodel.presentation import tables
from riskmodel.presentation.attainable import attainable_table, bins_table
from riskmodel.presentation.figures import all_figures, model_words
from riskmodel.presentation.forecast_page import forecast_chapter
from riskmodel.presentation.household_list import HEADS, TEXT_HEADS, listing
from riskmodel.presentation.inputs import ReportInput, read_run
from riskmodel.presentation.words import LANGS, filled, templates
from riskmodel.presentation.yields import published, weighted_facts, yields_table

FORMAT = 1
PAGE = "report.html"


def write_report(given: ReportInput, out: str | Path, lang: str = "zh") -> Path:
    """Write the report of a run into a folder.

    Parameters
    ----------
    given : ReportInput
    out : str or Path
        Folder: ``report.html``, ``tables/*.csv``, ``figures/*.{zh,en}.svg``.
    lang : str
        Language the page opens in; it holds both.

    Returns
    -------
    Path
        The page. It makes no network request and holds no name of the machine or hour: the same input
        gives the same bytes.
    """
    folder = Path(out)
    words = section("report")
    for name, frame in _frames(given).items():
        files.write_table(frame, folder / "tables" / f"{name}.csv")
    for shown in LANGS:
        for name, svg in all_figures(given, words, [shown]).items():
            files.write_text(svg + "\n", folder / "figures" / f"{name}.{shown}.svg")
    return files.write_text(report_html(given, lang), folder / PAGE)


def write_run_report(
    run_id: str,
    out: str | Path,
    *,
    store: str | Path,
    scores: pd.DataFrame | None = None,
    lang: str = "zh",
    histories: pd.DataFrame | None = None,
    yields: pd.DataFrame | None = None,
) -> Path:
    """Write the report of a logged run.

    Parameters
    ----------
    run_id : str
    out : str or Path
        Folder.
    store : str or Path
        MLflow's SQLite file.
    scores : DataFrame, optional
        The list to show, with reasons in ``lang``.
    lang : str
    histories, yields : DataFrame, optional
        See `ReportInput`.

    Returns
    -------
    Path

    Raises
    ------
    UsageError
        If the run is not in the store.
    """
    given = read_run(run_id, store, {lang: scores} if scores is not None else None, histories, yields)
    return write_report(given, out, lang)


def report_html(given: ReportInput, lang: str = "zh") -> str:
    """Return the page as text.

    Parameters
    ----------
    given : ReportInput
    lang : str

    Returns
    -------
    str
    """
    home = templates()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(home), autoescape=True, undefined=jinja2.StrictUndefined
    )
    words = section("report")
    champion = str(given.experiment["champion"])
    data = listing(given, words)
    return environment.get_template("report.html.j2").render(
        lang=lang,
        version=__version__,
        format=FORMAT,
        css=Markup((home / "report.css").read_text(encoding="utf-8")),
        js=Markup((home / "report.js").read_text(encoding="utf-8")),
        title=given.experiment["title"],
        subtitle=_subtitle(given, words),
        page=words["page"],
        list=words["list"],
        headline=given.headline,
        found=tables.found(given, words),
        notes=given.notes,
        rules_page=given.rules_page,
        outlook=None if given.outlook is None else forecast_chapter(given.outlook),
        comparison=_made(tables.comparison_table, given.comparison, words, champion),
        targeting=_made(tables.targeting_table, given.comparison, words),
        deployed=_made(tables.deployed_table, given.deployed, words),
        charts=[
            {"name": name, "title": words["charts"][name]["title"], "svg": Markup(svg)}
            for name, svg in all_figures(given, words).items()
        ],
        metrics=tables.metrics_table(given.metrics, words, champion),
        oracle=_made(tables.metrics_table, given.oracle, words, champion),
        attainable=_made(attainable_table, given.attainable, words, champion),
        attainable_bins=_made(bins_table, given.attainable_bins, words, champion),
        by_fold=tables.fold_table(given.by_fold, words),
        folds=tables.fold_dates(given.folds, words),
        yields=_made(yields_table, _filled(given.yields), words),
        weighted=_sentence(words["page"]["yields_weighted"], weighted_facts(given.weighted_yield)),
        published=filled(words["page"]["yields_published"], **published()),
        data=None if data is None else Markup(data),
        list_heads=[(name, words["list"][name]) for name in HEADS],
        list_text=TEXT_HEADS,
        methods=words["methods"],
        limits=words["limits"],
        origin=_origin(given, words),
    )


def _made(make: Any, frame: pd.DataFrame | None, *rest: Any) -> tables.Table | None:
    return None if frame is None else make(frame, *rest)


def _sentence(words: Mapping[str, str], facts: Mapping[str, str] | None) -> dict[str, str] | None:
    return None if facts is None else filled(words, **facts)


def _filled(frame: pd.DataFrame | None) -> pd.DataFrame | None:
    return frame if frame is not None and len(frame) else None


def _subtitle(given: ReportInput, words: Mapping[str, Any]) -> dict[str, str]:
    folds = given.folds
    span = f"{folds['test_from'].min()} – {folds['test_to'].max()}"
    return {
        lang: f"{words['columns']['test'][lang]} {span} · {given.experiment['ruleset']}" for lang in LANGS
    }


def _origin(given: ReportInput, words: Mapping[str, Any]) -> list[dict[str, Any]]:
    exp, names = given.experiment, words["origin"]
    events = [words["values"].get(e, {"zh": e, "en": e}) for e in exp["events"]]
    values: dict[str, Any] = {
        "run_id": given.run_id,
        "experiment": f"{exp['id']} v{exp.get('version', 1)}",
        "cohort": ", ".join(exp["cohort"]),
        "events": {lang: ", ".join(e[lang] for e in events) for lang in LANGS},
        "horizon": _horizon(exp["horizon"], words),
        "ruleset": exp["ruleset"],
        "feature_set": exp["feature_set"],
        "champion": model_words(str(exp["champion"]), words),
        "budget": _budget(exp["budget"], words),
        "bootstrap": str(exp["bootstrap"]),
        "seed": str(exp["seed"]),
        "fingerprint": given.fingerprint,
        "environment": ", ".join(f"{k} {v}" for k, v in given.environment.items()) or tables.NOTHING,
    }
    return [
        {"name": names[k], "value": v if isinstance(v, Mapping) else dict.fromkeys(LANGS, v)}
        for k, v in values.items()
    ]


def _horizon(horizon: Mapping[str, Any], words: Mapping[str, Any]) -> dict[str, str]:
    key = "next_interview" if horizon.get("next") else "months"
    return filled(words["page"][key], n=horizon["months"])


def _budget(budget: Mapping[str, Any], words: Mapping[str, Any]) -> dict[str, str]:
    if budget.get("visits") is not None:
        return filled(words["page"]["budget_visits"], n=budget["visits"])
    return filled(words["page"]["budget_share"], p=f"{budget['share']:.1%}")


def _frames(given: ReportInput) -> dict[str, pd.DataFrame]:
    frames = {
        "metrics": given.metrics,
        "metrics_by_fold": given.by_fold,
        "curves": given.curves,
        "folds": given.folds,
        "comparison": given.comparison,
        "deployed": given.deployed,
        "oracle": given.oracle,
        "attainable": given.attainable,
        "attainable_bins": given.attainable_bins,
        "yields": given.yields,
        "yields_weighted": _filled(given.weighted_yield),
    }
    return {name: frame for name, frame in frames.items() if frame is not None}
