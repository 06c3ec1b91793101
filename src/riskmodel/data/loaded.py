"""The rows of one file as they stand there, before anything is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from riskmodel.i18n import Message

ROW = "row_"
OVERFLOW = "(beyond the header)"


@dataclass(frozen=True)
class Loaded:
    """The rows of one file as they stand there.

    Parameters
    ----------
    rows : pyarrow.Table
        ``row_`` (as a spreadsheet numbers rows), then ``c0, c1, …`` in the order of ``headers``.
    headers : tuple of str
    faults : list of tuple
        ``(row, header, reason)`` of rows that the file format itself spoils.
    notices : list of Message
        What to say about the file as a whole.
    """

    rows: pa.Table
    headers: tuple[str, ...]
    faults: list[tuple[int, str, str]] = field(default_factory=list)
    notices: list[Message] = field(default_factory=list)


def text_batch(rows: Sequence[Sequence[object]], width: int) -> pa.RecordBatch:
    """Return rows of ``(row number, cell, cell, …)`` as text columns ``c0, c1, …`` behind ``row_``.

    Parameters
    ----------
    rows : sequence of sequences
    width : int
        Cells a row.

    Returns
    -------
    pyarrow.RecordBatch
    """
    columns: list[Sequence[object]] = list(zip(*rows, strict=True)) if rows else [()] * (width + 1)
    arrays = [pa.array(columns[0], pa.int64()), *(pa.array(cells, pa.string()) for cells in columns[1:])]
    return pa.record_batch(arrays, names=[ROW, *(f"c{i}" for i in range(width))])
