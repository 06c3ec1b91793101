"""Measures that stand in columns of their own: one row of ``support`` for each step that a cell names.

Columns of words: what their cells say in the contract's codes, and several columns that say the same.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence

import pandas as pd

from riskmodel.data import contract
from riskmodel.importing import cell_reading as cells
from riskmodel.importing.cell_reading import ColumnRead
from riskmodel.importing.header_words import normalise_word
from riskmodel.importing.mapping import ColumnMap, TableMap
from riskmodel.importing.sheet_layout import text_of
from riskmodel.importing.states import worst_health
from riskmodel.importing.vocabulary import Vocabulary

_NOTHING = ("-", "--", "/", "—", "——", "未实施", "尚未实施", "未享受")
_LONGEST_STEP = 20  # longer texts are remarks, in which anything may stand


def measure_rows(
    table: TableMap,
    base: pd.DataFrame,
    columns: Sequence[tuple[int, str, Sequence[object]]],
    booleans: Mapping[str, str],
    day: dt.date | None,
) -> pd.DataFrame:
    """Return one row of ``support`` for each step taken: known by the day of the list, whenever it was taken.

    Parameters
    ----------
    table
        What the map says of it.
    base
        Whose each row of the sheet is.
    columns
        Column, code of the measure and cells of each measure.
    booleans
        Yes and no.
    day
        Of the list.
    """
    frames = [
        base.iloc[[at]].assign(measure=code, detail=step or None, col=column)
        for column, code, values in columns
        for at, value in enumerate(values)
        for step in _steps(value, booleans)
    ]
    if not frames:
        return pd.DataFrame()
    out = pd.concat(frames, ignore_index=True).astype(object)
    written = out["recorded_on"] if "recorded_on" in out else pd.Series(None, index=out.index)
    out["date"] = out["recorded_on"] = written.where(written.notna(), day)
    out["date_known"] = False
    return out.drop_duplicates(["household_id", "measure", "detail"]) if table.once else out


def _steps(value: object, booleans: Mapping[str, str]) -> list[str]:
    """Return the steps that a cell of a measure names; one without a name where it only says yes."""
    words = [w for w in re.split(r"[,，、;；\n]+", text_of(value)) if w.strip()]
    said = [booleans.get(normalise_word(w)) for w in words]
    named = [
        w.strip()
        for w, yes in zip(words, said, strict=True)
        if yes is None and normalise_word(w) not in _NOTHING
    ]
    named = ["" if len(w) > _LONGEST_STEP or re.search(r"\d{6}", w) else w for w in named]
    return named or ([""] if "true" in said else [])


DIFFER = "columns differ"  # of a cell that another column of its row contradicts
# Of several columns one yes is enough: programmes and insurances go by more than one name.
_ANY_YES = frozenset({"relocated", "dibao", "tekun", "insured"})
# Columns of one kind that speak of different things (户类型, 脱贫标志): a later one only fills what is open.
_FILL_ONLY = frozenset({"registration"})


def read_code_column(
    table: str, name: str, given: ColumnMap, raw: Sequence[object], kind: str, words: Vocabulary
) -> ColumnRead:
    """Read the cells of a column of codes, yes and no, or grades.

    Parameters
    ----------
    table, name
        The column of the contract.
    given
        What the map says of it.
    raw
        Cells.
    kind
        Type of the column in the contract.
    words
        The vocabulary.
    """
    listed = f"{table}.{name}"
    spec = contract().tables[table].columns.get(name)
    if spec and spec.codes_of:
        listed = spec.codes_of
    vocabulary = words.extended({listed: given.words}) if given.words else words
    known = vocabulary.words(listed)
    if kind == "grade":
        return cells.read_grades(raw, known)
    several = kind == "codes" or name == "health"
    boolean = vocabulary.words("booleans") if kind == "bool" else None
    read = cells.read_words(raw, known, several=several, boolean=boolean)
    if kind == "bool":
        read.values = [None if v is None else (v == "true") != given.inverted for v in read.values]
    elif name == "health":
        read.values = [worst_health(v) for v in read.values]
    elif kind == "codes":
        read.values = [";".join(dict.fromkeys(v)) if v else None for v in read.values]
    return read


def join_columns(name: str, reads: Sequence[ColumnRead]) -> list[int]:
    """Fill the first of some columns that say the same with what the others say.

    Parameters
    ----------
    name
        Of the contract's column.
    reads
        What each column says; the first is changed.

    Returns
    -------
    list of int
        Places of the cells where they contradict each other.

    Examples
    --------
    >>> first, second = ColumnRead([True, None], [None, None]), ColumnRead([False, False], [None, None])
    >>> join_columns("housing_safe", [first, second]), first.values
    ([0], [True, False])
    """
    first = reads[0]
    differ = []
    for at, value in enumerate(first.values):
        said = [read.values[at] for read in reads if read.values[at] is not None]
        if not said:
            continue
        if name in _ANY_YES:
            first.values[at] = any(said)
        elif value is None or value == "?":
            first.values[at] = next((v for v in said if v != "?"), "?")
        elif name not in _FILL_ONLY and any(v != value for v in said):
            differ.append(at)
        if first.values[at] is not None:
            first.faults[at] = None
    return differ


def differing(read: ColumnRead, whose: Sequence[object]) -> list[int]:
    """Return the cells that another column contradicts, the first of each household."""
    first = {whose[at]: at for at in sorted(read.notes, reverse=True) if read.notes[at] == DIFFER}
    return sorted(first.values())
