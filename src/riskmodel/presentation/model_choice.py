"""The report's section on choosing among models over time: a sentence and a table each."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from riskmodel.evaluation import ModelChoice, conditions_in_words
from riskmodel.i18n import section
from riskmodel.presentation.page import PageWords, Paragraph, Part, Record, Writer
from riskmodel.presentation.report import report_section
from riskmodel.presentation.report_input import ReportInput
from riskmodel.presentation.report_parts import model_words
from riskmodel.presentation.table import NOTHING, Table, number
from riskmodel.runs import choice_messages

_WORDS = PageWords("choice.page", "choice.columns")


@report_section("choice", title="choice.page.title", order=55)
def _choice(given: ReportInput) -> Sequence[Part] | None:
    if given.choice is None:
        return None
    choice = given.choice
    return [
        *(Paragraph(message.both()) for message in choice_messages(choice)),
        *_WORDS.headed("selection", _selection_table(choice)),
        *_WORDS.headed("stability", _stability_table(choice)),
        *_WORDS.headed("errors", _errors_table(choice)),
        *_WORDS.headed("visits_curve", _curve_table(choice)),
    ]


def _selection_table(choice: ModelChoice) -> Table:
    rules = section("choice.rules")
    cells: dict[str, Writer] = {
        "rule": lambda r: rules[r["rule"]],
        "dates": lambda r: number(r["dates"]),
        "recall": _share("recall"),
        "regret": lambda r: f"{100 * r['regret']:.1f}",
        "recall_declared": _share("recall_declared"),
        "models": lambda r: number(r["models"]),
    }
    return _WORDS.table(choice.selection_means, cells)


def _stability_table(choice: ModelChoice) -> Table:
    cells: dict[str, Writer] = {
        "model": _model,
        "pair": lambda r: f"{r['from_date']:%Y-%m-%d} – {r['to_date']:%Y-%m-%d}",
        **{name: _count(name) for name in ("in_both", "listed_from", "both")},
        "kept": _share("kept"),
        "jaccard": lambda r: NOTHING if pd.isna(r["jaccard"]) else f"{r['jaccard']:.2f}",
    }
    return _WORDS.table(choice.stability, cells, text=("model", "pair"))


def _errors_table(choice: ModelChoice) -> Table:
    cells: dict[str, Writer] = {
        "question": lambda r: _WORDS(r["question"]),
        "who": lambda r: conditions_in_words(r["conditions"]),
        **{name: _count(name) for name in ("cases", "households", "errors")},
        "share": _share("share"),
    }
    return _WORDS.table(choice.errors, cells, text=("question", "who"))


def _curve_table(choice: ModelChoice) -> Table:
    cells: dict[str, Writer] = {
        "model": _model,
        "factor": lambda r: f"{r['factor']:g}",
        "visits": _count("visits"),
        **{name: _share(name) for name in ("recall", "recall_rules")},
        "visits_rules": _count("visits_rules"),
    }
    return _WORDS.table(choice.visits_curve, cells)


def _model(row: Record) -> dict[str, str]:
    return dict(model_words(str(row["model"])))


def _count(column: str) -> Writer:
    return lambda row: number(row[column])


def _share(column: str) -> Writer:
    return lambda row: NOTHING if pd.isna(row[column]) else f"{row[column]:.1%}"
