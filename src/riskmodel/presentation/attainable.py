"""What each model reaches of what could be found, on a county whose true chances are known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from riskmodel.presentation.figures import model_words
from riskmodel.presentation.tables import NOTHING, Cell, Head, Row, Table, number

ORACLE = "oracle"


def attainable_table(frame: pd.DataFrame, book: Mapping[str, Any], champion: str) -> Table:
    """Return each model's AUC and recall against true chances, and the share of the oracle's below them.

    Parameters
    ----------
    frame : DataFrame
        `riskmodel.evaluation.oracle.OracleReport`'s ``table``.
    book : mapping
    champion : str

    Returns
    -------
    Table
        The oracle last: its figures are those of infinitely many futures.
    """
    columns = book["columns"]
    names = ("auc_true", "recall_true", "slope_true", "error_true", "bins_covered", "auc_unsupported")
    heads = [Head(columns["model"], text=True), *(Head(columns[n]) for n in names)]
    return Table(heads, [_reached(row, book, champion) for row in frame.to_dict("records")])


def _reached(row: Mapping[Any, Any], book: Mapping[str, Any], champion: str) -> Row:
    name = str(row["model"])
    oracle = name == ORACLE
    share = ("", "") if oracle else (f"{row['auc_share']:.0%}", f"{row['recall_share']:.0%}")
    covered = NOTHING if pd.isna(row["bins"]) else f"{row['bins_covered']:.0f} / {row['bins']:.0f}"
    cells = [
        Cell(words=model_words(name, book)),
        Cell(number(row["auc_true"]), small=share[0]),
        Cell(number(row["recall_true"], "recall"), small=share[1]),
        Cell(NOTHING if oracle else number(row["slope_true"])),
        Cell(NOTHING if oracle else number(row["error_true"])),
        Cell(covered),
        Cell(number(row.get("auc_unsupported"))),
    ]
    return Row(cells, best=name == champion)


def bins_table(frame: pd.DataFrame, book: Mapping[str, Any], champion: str) -> Table:
    """Return the champion's score bins: foretold with interval, mean truth, and what happened.

    Parameters
    ----------
    frame : DataFrame
        `riskmodel.evaluation.oracle.OracleReport`'s ``bins``.
    book : mapping
    champion : str

    Returns
    -------
    Table
        A row whose mean truth lies within the mean interval is marked.
    """
    columns = book["columns"]
    heads = [Head(columns[n]) for n in ("bin", "n_test", "predicted", "true", "observed", "covered")]
    rows = []
    for row in frame[frame["model"] == champion].to_dict("records"):
        span = f"[{_share(row['low'])}, {_share(row['high'])}]" if pd.notna(row["low"]) else ""
        cells = [
            Cell(number(row["bin"])),
            Cell(number(row["n"])),
            Cell(_share(row["predicted"]), small=span),
            Cell(_share(row["true"])),
            Cell(_share(row["observed"])),
            Cell("" if pd.isna(row["covered"]) else "✓" if row["covered"] else "✗"),
        ]
        rows.append(Row(cells))
    return Table(heads, rows)


def _share(value: float) -> str:
    return NOTHING if pd.isna(value) else f"{value:.1%}"
