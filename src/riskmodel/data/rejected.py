"""Rows that are kept out and cells that are lost, as they are told to the office.

``rejected.csv`` holds whole rows, ``cells.csv`` the optional cells that could not be read, of rows that are
used; both with the text as it came.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from riskmodel.data import compiled
from riskmodel.data.file_formats import ROW
from riskmodel.data.parse import WHY, ParsedTable, as_text, bad_rows, faults_of, flag_columns
from riskmodel.data.schema import contract, readable_codes
from riskmodel.data.sources import RawTable
from riskmodel.i18n import both, text
from riskmodel.io import write_csv

REJECTED_FILE, CELLS_FILE = "rejected.csv", "cells.csv"
WHOLE_ROW = "*"  # stands for a column where no single one is to blame
COLUMNS = ["file", "row", "column", "reason", "detail"]
CELL_COLUMNS = ["file", "sheet", "row", "column", "text", "reason"]
_DATES = {"date": "2021-05-31", "month": "2021-05", "year": "2021"}
_MOST_ALLOWED = 20
EXAMPLES = 20  # rows shown of a cause for which a table is refused
_LONG_LIST = 1000  # rows kept out for one cause: more are counted, and the first are shown


def rejected_rows(raw: RawTable, faults: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of one file that are kept out, each once."""
    if faults.empty:
        return pd.DataFrame(columns=COLUMNS)
    wanted = ibis.memtable(pa.table({"wanted_": pa.array(sorted(set(faults["row"])), pa.int64())}))
    found = raw.rows.semi_join(wanted, raw.rows[ROW] == wanted.wanted_).order_by(ROW)
    texts = found.select(row=found[ROW], **{c: found[c].cast("string") for c in raw.headers})
    cells = texts.to_pandas().set_index("row")
    described = _fault_texts(raw, faults, cells)
    own = cells.rename(columns=_free_names(raw.headers.values(), raw.headers))
    out = described.join(own, how="left").reset_index().assign(file=raw.file)
    return out[[*COLUMNS, *own.columns]]


def rejected_examples(raw: RawTable, faults: pd.DataFrame, causes: pd.DataFrame) -> pd.DataFrame:
    """Return the first rows of each cause for which a file is refused, after a line with its count.

    Parameters
    ----------
    raw
        The file.
    faults
        ``row, column, reason, other``, of examples at least.
    causes
        ``column, reason, n`` of each cause.
    """
    first = faults.sort_values("row", kind="stable").groupby(["column", "reason"], sort=False)
    shown = rejected_rows(raw, first.head(EXAMPLES))
    lines = [
        {
            "file": raw.file,
            "row": None,
            "column": raw.headers[raw.at[column]] if column in raw.at else column or WHOLE_ROW,
            "reason": reason,
            "detail": " / ".join(both("data.reasons.one cause", n=n, k=min(n, EXAMPLES)).values()),
        }
        for column, reason, n in zip(causes["column"], causes["reason"], causes["n"], strict=True)
    ]
    return pd.concat([pd.DataFrame(lines), shown.astype({"row": "Int64"}).astype(object)], ignore_index=True)


def one_cause(counts: pd.Series, rows: int, max_rejected: float) -> bool:
    """Say whether one cause alone takes out more of a large table than may be kept out."""
    return bool(len(counts)) and int(counts.max()) > most_listed(rows, max_rejected)


def most_listed(rows: int, max_rejected: float) -> float:
    """Return how many rows of a table are listed one by one where it is refused."""
    return max(_LONG_LIST, max_rejected * rows)


def fault_counts(parsed: ParsedTable) -> pd.DataFrame:
    """Return how many rows of a table are kept out for what: ``column, reason, n``, most first."""
    found = parsed.fetch(_bad_counts)
    flags = flag_columns(found, WHY)
    long = found.melt(id_vars=["n"], value_vars=flags, var_name="column", value_name="reason")
    long = long.dropna(subset="reason").assign(column=long["column"].str.removeprefix(WHY))
    counts = long.groupby(["column", "reason"])["n"].sum().reset_index()
    return counts.sort_values("n", ascending=False, kind="stable", ignore_index=True)


def first_faults(parsed: ParsedTable) -> pd.DataFrame:
    """Return the faults of the first rows that are kept out."""
    return faults_of(parsed.fetch(_first_bad), WHY)


def _bad_counts(county: compiled.Shape, *declared: Any, **inputs: Any) -> ir.Table:
    bad = bad_rows(county, *declared, **inputs)
    return bad.group_by(flag_columns(bad, WHY)).aggregate(n=bad.count())


def _first_bad(county: compiled.Shape, *declared: Any, **inputs: Any) -> ir.Table:
    return bad_rows(county, *declared, **inputs).order_by(ROW).limit(EXAMPLES)


def count_causes(faults: pd.DataFrame) -> pd.DataFrame:
    """Return ``column, reason, n``, the rows that each cause keeps out, most first."""
    each = faults.drop_duplicates(["row", "column", "reason"])
    counts = each.groupby(["column", "reason"], sort=False).size().rename("n").reset_index()
    return counts.sort_values("n", ascending=False, kind="stable", ignore_index=True)


def _fault_texts(raw: RawTable, faults: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """Return ``column, reason, detail`` of each row, several faults joined."""
    place = {name: position for position, name in enumerate(contract().tables[raw.table].columns)}
    ordered = faults.assign(place=faults["column"].map(place).fillna(-1))
    ordered = ordered.drop_duplicates(["row", "column", "reason"]).sort_values(
        ["row", "place"], kind="stable"
    )
    parts = []
    for (column, reason), some in ordered.groupby(["column", "reason"], sort=False):
        column, reason = str(column), str(reason)
        cell = raw.at.get(column)
        given = cells[cell].reindex(some["row"]).fillna("").array if cell else ""
        header = raw.headers[cell] if cell else column or WHOLE_ROW
        part = _explain(some.assign(given=given), reason, _allowed(raw.table, column, reason))
        parts.append(part.assign(column=header))
    described = pd.concat(parts).sort_values(["row", "place"], kind="stable")
    several = described["row"].duplicated(keep=False)
    texts = ["column", "reason", "detail"]
    joined = described[several].groupby("row")[texts].agg("; ".join)
    return pd.concat([described[~several].set_index("row")[texts], joined]).sort_index()


def _explain(some: pd.DataFrame, reason: str, allowed: str) -> pd.DataFrame:
    """Attach the sentence of a reason, made once for each distinct cell."""
    keys = ["given", "other"]
    distinct = some[keys].drop_duplicates()
    others = distinct["other"].astype("string").fillna("")
    sentences = [_detail(reason, repr(g), allowed, o) for g, o in zip(distinct["given"], others, strict=True)]
    return some.merge(distinct.assign(detail=sentences), on=keys, how="left")


def _detail(reason: str, given: str, allowed: str, other: str) -> str:
    words = both(f"data.reasons.{reason}", given=given, allowed=allowed, other=other)
    return f"{words['zh']} / {words['en']}"


def _allowed(table: str, column: str, reason: str) -> str:
    """Return what may stand in a column, for the sentence of a reason."""
    if reason == "unknown id":
        home = "members" if column == "member_id" else "households"
        return f"{home} {contract().tables[home].zh}"
    columns = contract().tables[table].columns
    kind = columns[column].type if column in columns else "date"
    if reason == "unparsable date":
        return _DATES.get(kind, _DATES["date"])
    if reason != "unknown code":
        return ""
    if kind == "bool":
        return text("data.allowed.bool", "en")
    if kind == "grade":
        return "0–4"
    words = [f"{code} {zh}" for code, zh in readable_codes(table, column).items()]
    return ", ".join(words[:_MOST_ALLOWED])


def _free_names(headers: Iterable[str], cells: Iterable[str]) -> dict[str, str]:
    """Name the row's own cells by their headers, kept apart from our columns and from one another."""
    names: dict[str, str] = {}
    taken = set(COLUMNS)
    for cell, header in zip(cells, headers, strict=True):
        name = header or "(no header)"
        while name in taken:
            name += " (source)"
        taken.add(name)
        names[cell] = name
    return names


def write_rejected(rejected: pd.DataFrame, folder: str | Path) -> Path:
    """Write ``rejected.csv`` (UTF-8 with BOM, so that Excel shows the Chinese) into a folder.

    The cells are written as they came: the contract wants them whole and unchanged.

    Parameters
    ----------
    rejected
        ``County.rejected``.
    folder
        Made if it is not there.

    Returns
    -------
    Path
        The file; it has only a header where nothing was kept out.
    """
    frame = rejected if len(rejected.columns) else pd.DataFrame(columns=COLUMNS)
    return write_csv(frame, Path(folder) / REJECTED_FILE)


def cell_texts(raw: RawTable, cells: pd.DataFrame) -> pd.DataFrame:
    """Add to cells (``row, column, reason``) their ``text``, as it came."""
    if cells.empty:
        return cells.assign(text="")
    wanted = ibis.memtable(pa.table({"wanted_": pa.array(sorted(set(cells["row"])), pa.int64())}))
    found = raw.rows.semi_join(wanted, raw.rows[ROW] == wanted.wanted_)
    at = {raw.at[str(column)]: str(column) for column in cells["column"].unique()}
    texts = found.select(row=found[ROW], **{f"c_{name}": _as_typed(found[c]) for c, name in at.items()})
    long = texts.to_pandas().melt(id_vars="row", var_name="column", value_name="text")
    long["column"] = long["column"].str.removeprefix("c_")
    return cells.merge(long, on=["row", "column"], how="left", validate="1:1")


def _as_typed(column: ir.Column) -> ir.Value:
    """Return a cell's text; of whole numbers without the ``.0`` that a column with empty cells adds."""
    return as_text(column) if column.type().is_floating() else column.cast("string")


def unread_cells(raw: RawTable, cells: pd.DataFrame) -> pd.DataFrame:
    """Return the cells of one file that could not be read though their row is used, with their text."""
    if cells.empty:
        return pd.DataFrame(columns=CELL_COLUMNS)
    place = {name: position for position, name in enumerate(raw.at)}
    out = cells.assign(place=cells["column"].map(place)).sort_values(["row", "place"], kind="stable")
    headers = {str(column): raw.headers[raw.at[str(column)]] for column in cells["column"].unique()}
    file = raw.file.removesuffix(f":{raw.sheet}") if raw.sheet else raw.file
    return out.assign(file=file, sheet=raw.sheet, column=out["column"].map(headers))[CELL_COLUMNS]


def write_cells(cells: pd.DataFrame, folder: str | Path) -> Path:
    """Write ``cells.csv`` (UTF-8 with BOM, for Excel) into a folder.

    Parameters
    ----------
    cells
        ``County.cells``.
    folder
        Made if it is not there.

    Returns
    -------
    Path
        The file; it has only a header where every cell could be read.
    """
    frame = cells if len(cells.columns) else pd.DataFrame(columns=CELL_COLUMNS)
    return write_csv(frame, Path(folder) / CELLS_FILE)
