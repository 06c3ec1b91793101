"""A run for a paper: methods computed from its declaration, tables as LaTeX and Word, SVG, references.

Nothing is typed by hand: every sentence is filled from what was logged, and cites only what the run used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.errors import InputMissing
from riskmodel.i18n import Language, section, text
from riskmodel.io import atomic, read_yaml
from riskmodel.presentation.report_input import ReportInput
from riskmodel.presentation.report_parts import model_words, report_charts
from riskmodel.presentation.table import NOTHING
from riskmodel.runs import open_run

_REFERENCES = Path(__file__).with_name("references.yaml")
_CITED = re.compile(r"\[(@[a-z0-9]+(?:; @[a-z0-9]+)*)\]")
_DIGITS = 3
# Logged tables of coefficients, and whose they are.
EFFECTS = {
    "effects": "cluster_logit", "hazard_effects": "hazard", "vulnerability_equations": "vulnerability"
}  # fmt: skip
_SPECIAL = {"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
            "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}  # fmt: skip


@dataclass(frozen=True)
class PaperTable:
    """One table: its caption, its columns, its rows as text."""

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def write_run_paper(
    given: ReportInput, store: str | Path, out: str | Path, lang: Language = "en"
) -> list[Path]:
    """Write a logged run as a paper needs it, with the tables that its store holds.

    Parameters
    ----------
    given
        The run, as `read_run` reads it.
    store
        MLflow's SQLite file.
    out
        Folder, made if it is not there.
    lang
        Of words and captions.

    Returns
    -------
    list of Path
        As `write_paper`.
    """
    run = open_run(given.run_id, store)
    wanted = {"characteristics", *EFFECTS} & set(run.table_names)
    return write_paper(given, {n: run.table(n) for n in wanted}, run.table("features"), out, lang)


def write_paper(
    given: ReportInput,
    tables: Mapping[str, pd.DataFrame],
    dictionary: pd.DataFrame,
    out: str | Path,
    lang: Language = "en",
) -> list[Path]:
    """Write a run as a paper needs it.

    Parameters
    ----------
    given
        The run, as `read_run` reads it.
    tables
        Logged tables of the run by name: ``characteristics`` and those of `EFFECTS` that it has.
    dictionary
        The run's data dictionary: ``id`` with ``zh, en``.
    out
        Folder, made if it is not there.
    lang
        Of words and captions.

    Returns
    -------
    list of Path
        ``paper.tex`` (compiles on its own), ``tables/*.tex``, ``paper.docx``, ``figures/*.svg``,
        ``methods.md`` and ``references.bib``.

    Raises
    ------
    InputMissing
        If python-docx is not installed.
    """
    folder = Path(out)
    charts = report_charts(given, [lang])
    sentences = methods_sentences(given, len(tables.get("characteristics", dictionary)), lang)
    shown = paper_tables(given, tables, dictionary, lang)
    made = {f"figures/{chart.name}.svg": _standalone(chart.svg) for chart in charts}
    made |= {f"tables/{one.name}.tex": _latex_table(one) for one in shown}
    made["methods.md"] = "\n".join(f"{sentence}\n" for sentence in sentences)
    made["references.bib"] = _bibliography(sentences)
    made["paper.tex"] = _latex_page(given, sentences, shown, sorted(c.name for c in charts), lang)
    paths = []
    for name, content in made.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(path) as part:
            part.write_text(content, encoding="utf-8")
        paths.append(path)
    _write_docx(folder / "paper.docx", given, sentences, shown, [chart.name for chart in charts], lang)
    return [*paths, folder / "paper.docx"]


def _standalone(svg: str) -> str:
    """Return a chart as a file of its own: what draws it outside the page must know the name space."""
    return svg if "xmlns=" in svg else svg.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)


def methods_sentences(given: ReportInput, columns: int, lang: Language) -> list[str]:
    """Return the methods, sentence by sentence, with citations as ``[@key]``.

    Parameters
    ----------
    given
        The run.
    columns
        How many features it learned from.
    lang
        Of the sentences.

    Returns
    -------
    list of str
        Those that hold of this run.
    """
    exp, folds = given.experiment, given.folds
    models = [str(m) for m in exp["models"]]
    named = [model_words(m)[lang] for m in models if m != exp["champion"]]
    words = section("report")
    events = [words["values"].get(e, {lang: e})[lang] for e in exp["events"]]
    horizon = "next_interview" if exp["horizon"].get("next") else "months"
    budget = exp["budget"]
    of = ("budget_visits", {"n": budget["visits"]}) if budget.get("visits") is not None else (
        "budget_share", {"p": f"{budget['share']:.1%}"}
    )  # fmt: skip
    facts: dict[str, Any] = {
        "cohort": ", ".join(exp["cohort"]), "ruleset": exp["ruleset"], "event": ", ".join(events),
        "horizon": text(f"report.page.{horizon}", lang, n=exp["horizon"]["months"]),
        "feature_set": exp["feature_set"], "columns": columns,
        "train_from": folds["train_from"].min(), "train_to": folds["train_to"].max(),
        "n_train": int(folds["n_train"].iloc[-1]), "train_events": int(folds["train_events"].iloc[-1]),
        "test_from": folds["test_from"].min(), "test_to": folds["test_to"].max(),
        "n_test": int(folds["n_test"].sum()), "test_events": int(folds["test_events"].sum()),
        "n_null": int(folds["n_null"].sum()), "champion": model_words(str(exp["champion"]))[lang],
        "others": ", ".join(named), "budget": text(f"report.page.{of[0]}", lang, **of[1]),
        "bootstrap": exp["bootstrap"], "fingerprint": given.fingerprint[:12], "run_id": given.run_id,
        "seed": exp["seed"], "environment": ", ".join(f"{k} {v}" for k, v in given.environment.items()),
    }  # fmt: skip
    holds: dict[str, Callable[[], bool]] = {
        "cross": lambda: exp["calibration"] == "cross",
        "holdout": lambda: exp["calibration"] == "holdout",
        "logit": lambda: "logit" in models,
        "boosting": lambda: any("boosting" in m or m == "additive" for m in models),
        "stack": lambda: bool({"mean", "stack"} & set(models)),
    }
    return [
        text(f"paper.methods.{name}", lang, **facts)
        for name in section("paper")["methods"]
        if holds.get(name, lambda: True)()
    ]


def paper_tables(
    given: ReportInput, tables: Mapping[str, pd.DataFrame], dictionary: pd.DataFrame, lang: Language
) -> list[PaperTable]:
    """Return the tables of a paper: characteristics by outcome, performance, comparison, coefficients.

    Parameters
    ----------
    given, tables, dictionary, lang
        As of `write_paper`.

    Returns
    -------
    list of PaperTable
        Those that the run has data for.
    """
    names = dict(zip(dictionary["id"], dictionary[lang], strict=True))
    out = []
    if "characteristics" in tables:
        out.append(_characteristics(tables["characteristics"], names, lang))
    out.append(_metrics(given.metrics, lang))
    if given.comparison is not None:
        out.append(_comparison(given.comparison, lang))
    out += [_effects(name, tables[name], names, lang) for name in EFFECTS if name in tables]
    return out


def _head(lang: Language, *names: str, **values: Any) -> tuple[str, ...]:
    return tuple(text(f"paper.columns.{name}", lang, **values) for name in names)


def _characteristics(frame: pd.DataFrame, names: Mapping[str, str], lang: Language) -> PaperTable:
    first = frame.iloc[0]
    head = (
        *_head(lang, "feature"), *_head(lang, "without", n=int(first["n_0"])),
        *_head(lang, "with", n=int(first["n_1"])), *_head(lang, "missing", "difference"),
    )  # fmt: skip
    rows = [
        (
            names.get(str(row["column"]), str(row["column"])), _spread(row, 0), _spread(row, 1),
            f"{int(row['missing_0'])} / {int(row['missing_1'])}", _number(row["difference"], 2),
        )
        for row in frame.to_dict("records")
    ]  # fmt: skip
    return PaperTable("characteristics", text("paper.captions.characteristics", lang), head, tuple(rows))


def _spread(row: Mapping[Any, Any], side: int) -> str:
    mean = row[f"mean_{side}"]
    if pd.isna(mean):
        return NOTHING
    if row["flag"]:
        return f"{mean:.1%}"
    return f"{_number(mean)} ({_number(row[f'sd_{side}'])})"


def _metrics(frame: pd.DataFrame, lang: Language) -> PaperTable:
    shown = {"auc": "auc", "brier": "brier", "slope": "calibration_slope", "recall": "recall_at_budget",
             "precision": "precision_at_budget"}  # fmt: skip
    rows = [
        (model_words(str(row["model"]))[lang], *(_interval(row, column) for column in shown.values()))
        for row in frame.to_dict("records")
    ]
    head = _head(lang, "model", *shown)
    return PaperTable("metrics", text("paper.captions.metrics", lang), head, tuple(rows))


def _comparison(frame: pd.DataFrame, lang: Language) -> PaperTable:
    pooled = frame[(frame["scope"] == "pooled") & (frame["at"] == "budget")]
    shown = ("delta_recall", "delta_low", "delta_high")
    rows = [
        (
            model_words(str(row["model"]))[lang], f"{int(row['visits']):,}",
            "{:+.1f} ({:+.1f}, {:+.1f})".format(*(100 * row[c] for c in shown)),
            # The declared model's p stands as it is, the others' after Holm's correction.
            _number(row["p_bootstrap"]) if row["declared"] else NOTHING,
            NOTHING if row["declared"] else _number(row["p_holm"]),
        )
        for row in pooled.to_dict("records")
    ]  # fmt: skip
    head = _head(lang, "model", "visits", "delta", "p", "holm")
    return PaperTable("comparison", text("paper.captions.comparison", lang), head, tuple(rows))


def _effects(name: str, frame: pd.DataFrame, names: Mapping[str, str], lang: Language) -> PaperTable:
    rows = tuple(
        tuple(names.get(str(v), str(v)) if isinstance(v, str) else _number(v) for v in row)
        for row in frame.itertuples(index=False)
    )
    caption = text("paper.captions.effects", lang, model=model_words(EFFECTS[name])[lang])
    return PaperTable(name, caption, tuple(str(c) for c in frame.columns), rows)


def _interval(row: Mapping[Any, Any], name: str) -> str:
    value, low, high = (row.get(f"{name}{end}") for end in ("", "_low", "_high"))
    if value is None or pd.isna(value):
        return NOTHING
    ends = "" if low is None or pd.isna(low) else f" ({_number(low)}, {_number(high)})"
    return _number(value) + ends


def _number(value: Any, digits: int = _DIGITS) -> str:
    if value is None or pd.isna(value):
        return NOTHING
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    # No minus before a zero.
    return f"{round(value, digits) + 0.0:.{digits}f}" if abs(value) < 100 else f"{value:.1f}"


def _keys(sentences: Sequence[str]) -> list[str]:
    keys = [key.strip()[1:] for s in sentences for cited in _CITED.findall(s) for key in cited.split(";")]
    return list(dict.fromkeys(keys))


def _bibliography(sentences: Sequence[str]) -> str:
    works = read_yaml(_REFERENCES)
    out = []
    for key in _keys(sentences):
        fields = ",\n".join(f"  {k} = {{{v}}}" for k, v in works[key].items() if k != "type")
        out.append(f"@{works[key]['type']}{{{key},\n{fields}\n}}\n")
    return "\n".join(out)


def _escape(words: str) -> str:
    return "".join(_SPECIAL.get(sign, sign) for sign in words)


def _cite_latex(sentence: str) -> str:
    parts, last = [], 0
    for match in _CITED.finditer(sentence):
        keys = ",".join(key.strip()[1:] for key in match[1].split(";"))
        parts += [_escape(sentence[last : match.start()]), rf"\cite{{{keys}}}"]
        last = match.end()
    return "".join([*parts, _escape(sentence[last:])])


def _latex_table(one: PaperTable) -> str:
    lines = [" & ".join(map(_escape, row)) + r" \\" for row in (one.columns, *one.rows)]
    layout = "l" + "r" * (len(one.columns) - 1)
    # A table of many columns of the model runs over pages.
    return "\n".join([
        rf"\begin{{longtable}}{{{layout}}}", rf"\caption{{{_escape(one.caption)}}}\\", r"\toprule", lines[0],
        r"\midrule", r"\endhead", *lines[1:], r"\bottomrule", r"\end{longtable}", "",
    ])  # fmt: skip


def _latex_page(
    given: ReportInput,
    sentences: Sequence[str],
    shown: Sequence[PaperTable],
    charts: Sequence[str],
    lang: Language,
) -> str:
    title = _escape(given.experiment["title"][lang])
    # Chinese needs its own class; SVG is drawn by Inkscape through the package svg where it is installed.
    kind = r"\documentclass{ctexart}" if lang == "zh" else r"\documentclass{article}"
    return "\n".join([
        kind, r"\usepackage{booktabs,longtable,graphicx,svg}", r"\usepackage[margin=2cm]{geometry}",
        r"\begin{document}", rf"\title{{{title}}}", r"\date{}", r"\maketitle",
        rf"\section{{{text('paper.headings.methods', lang)}}}", *(_cite_latex(s) for s in sentences),
        rf"\section{{{text('paper.headings.results', lang)}}}",
        *(rf"\input{{tables/{one.name}.tex}}" for one in shown),
        *(rf"\begin{{figure}}[htb]\centering\includesvg[width=0.8\textwidth]{{figures/{name}}}\end{{figure}}"
          for name in charts),
        r"\bibliographystyle{plain}", r"\bibliography{references}", r"\end{document}", "",
    ])  # fmt: skip


def _cite_words(sentence: str, works: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a sentence with author and year in place of keys."""

    def named(match: re.Match[str]) -> str:
        keys = [key.strip()[1:] for key in match[1].split(";")]
        return "(" + "; ".join(f"{_first_author(works[k])} {works[k]['year']}" for k in keys) + ")"

    return _CITED.sub(named, sentence)


def _first_author(work: Mapping[str, Any]) -> str:
    authors = str(work["author"]).split(" and ")
    first = authors[0].split(",")[0]
    return first if len(authors) == 1 else f"{first} et al."


def _write_docx(
    path: Path,
    given: ReportInput,
    sentences: Sequence[str],
    shown: Sequence[PaperTable],
    charts: Sequence[str],
    lang: Language,
) -> None:
    try:
        from docx import Document
        from docx.shared import Pt
    except ImportError as exc:
        raise InputMissing("a paper as Word needs python-docx: pip install 'riskmodel[paper]'") from exc
    works = read_yaml(_REFERENCES)
    page = Document()
    page.core_properties.author = ""
    page.add_heading(given.experiment["title"][lang], 0)
    page.add_heading(text("paper.headings.methods", lang), 1)
    page.add_paragraph(" ".join(_cite_words(s, works) for s in sentences))
    page.add_heading(text("paper.headings.results", lang), 1)
    for one in shown:
        page.add_paragraph(one.caption, style="Caption")
        table = page.add_table(rows=1, cols=len(one.columns), style="Light List")
        for row, cells in zip((one.columns, *one.rows), _rows_of(table, len(one.rows)), strict=True):
            for cell, words in zip(cells, row, strict=True):
                cell.text = words
                for run in cell.paragraphs[0].runs:
                    run.font.size = Pt(8)
    if charts:
        page.add_paragraph(text("paper.figures", lang, files=", ".join(f"figures/{c}.svg" for c in charts)))
    page.add_heading(text("paper.headings.references", lang), 1)
    for key in _keys(sentences):
        work = works[key]
        where = work.get("journal", work.get("booktitle", ""))
        page.add_paragraph(
            f"{work['author']} ({work['year']}). {work['title']}. {where} {work.get('volume', '')}."
        )
    with atomic(path) as part:
        page.save(str(part))


def _rows_of(table: Any, more: int) -> list[Any]:
    """Return the cells of each row; rows are added together, as a table finds its cells anew each time."""
    for _ in range(more):
        table.add_row()
    return [row.cells for row in table.rows]
