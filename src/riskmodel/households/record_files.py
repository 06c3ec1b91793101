"""A county's rows of income, spending and coverage on disk, part by part, column by column.

Read from the engine in one pass a table; each part is then read back as the arrays that
`riskmodel.households.panel` makes of a whole county.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from riskmodel.data import CODE_COLUMN, County, fetch_batches
from riskmodel.households import panel
from riskmodel.households.amounts import AmountSize
from riskmodel.households.coverage import TABLES
from riskmodel.households.panel import Records
from riskmodel.households.statements import RecordedSpans, recorded_rows, recorded_spans
from riskmodel.io import ScratchFolder

_FAR = 2**30
PART = "part"


@dataclass(frozen=True)
class RowsOnDisk:
    """Rows by part; the files go with the object.

    Parameters
    ----------
    folder
        Where they are.
    types
        Columns of each kind of rows.
    first, last
        The first and the last month of any row of income or spending.
    first_said
        The first month of which table ``recorded`` speaks.
    """

    folder: ScratchFolder
    types: Mapping[str, pa.Schema]
    first: int
    last: int
    first_said: int

    @classmethod
    def write(cls, county: County, parts: Sequence[np.ndarray]) -> RowsOnDisk:
        """Lay a county's rows on disk.

        Parameters
        ----------
        county
            The whole.
        parts
            The households of each part by their places, ascending; one may be in several.

        Raises
        ------
        InputRefused
            If amounts are so large that their sum would not be exact.
        """
        folder = ScratchFolder("rows")
        first, last = panel.month_span(county)
        numbered = _numbered(panel.households_known(county), parts, first, last)
        beside = numbered.select(["household_id", "number", "since", PART])
        types, first_said = {}, _FAR
        for table in CODE_COLUMN:
            size = AmountSize(table)
            for kind, build, given in (
                ("monthly", panel.monthly_rows, (table, False)),
                ("totals", panel.total_rows, (table,)),
            ):
                own = numbered if kind == "monthly" else beside
                name = f"{kind}-{table}"
                columns = _Columns(folder.path, name)
                for batch in fetch_batches(county, build, *given, numbered=own):
                    columns.add(batch)
                    size.add(batch.column("units").to_numpy())
                types[name] = columns.types
            size.refuse_large()
        for of in TABLES:
            columns = _Columns(folder.path, f"recorded-{of}")
            numbers = numbered.select(["household_id", "number", PART])
            for batch in fetch_batches(county, recorded_rows, of, numbered=numbers):
                columns.add(batch)
                months = batch.column("month_from").to_numpy()
                first_said = min(first_said, int(months.min(initial=_FAR)))
            types[f"recorded-{of}"] = columns.types
        return cls(folder, types, first, last, first_said)

    def read(self, part: int, ids: pa.Array) -> tuple[Records, dict[str, RecordedSpans]]:
        """Return the rows of one part, whose households' numbers are given."""
        monthly = {t: panel.cells_of(self._table(f"monthly-{t}", part)) for t in CODE_COLUMN}
        totals = {t: panel.rows_of(self._table(f"totals-{t}", part)) for t in CODE_COLUMN}
        recorded = {of: recorded_spans(self._table(f"recorded-{of}", part)) for of in TABLES}
        return Records(ids, self.first, self.last, monthly, totals), recorded

    def _table(self, name: str, part: int) -> pa.Table:
        columns = {}
        for column in self.types[name]:
            path = _path(self.folder.path, name, part, column.name)
            plain = pa.int32() if pa.types.is_date(column.type) else column.type
            kind = np.dtype(plain.to_pandas_dtype())
            values = np.fromfile(path, kind) if path.exists() else np.zeros(0, kind)
            columns[column.name] = pa.array(values, plain).cast(column.type)
        return pa.table(columns)


def _path(folder: Path, name: str, part: int, column: str) -> Path:
    return folder / f"{name}-{column}-{part}"


def _numbered(households: pa.Table, parts: Sequence[np.ndarray], first: int, last: int) -> pa.Table:
    """Return every household of every part with its number there, as queries of rows join it."""
    columns: dict[str, list[np.ndarray]] = {}
    for i, places in enumerate(parts):
        n, number = len(places), np.arange(len(places), dtype=np.int64)
        own = {
            "at": places, "number": number.astype(np.int32), "place": number - first * n,
            "step": np.full(n, n), "width": np.full(n, n * (last - first + 1)), PART: np.full(n, i, np.int32),
        }  # fmt: skip
        for name, values in own.items():
            columns.setdefault(name, []).append(values)
    joined = {name: np.concatenate(values) for name, values in columns.items()}
    out = households.take(pa.array(joined.pop("at")))
    for name, values in joined.items():
        out = out.append_column(name, pa.array(values))
    return out


class _Columns:
    """Appends columns of batches to the files of their parts."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.types = pa.schema([])

    def add(self, batch: pa.RecordBatch) -> None:
        """Append one batch."""
        self.types = pa.schema([column for column in batch.schema if column.name != PART])
        part = batch.column(PART).to_numpy()
        if not len(part):
            return
        kinds, counts = np.unique(part, return_counts=True)
        order = None if len(kinds) == 1 else np.argsort(part, kind="stable")
        for column in self.types:
            values = batch.column(column.name)
            if pa.types.is_date(column.type):
                values = values.cast(pa.int32())
            array = values.to_numpy(zero_copy_only=False)
            pieces = [array] if order is None else np.split(array[order], np.cumsum(counts)[:-1])
            for i, piece in zip(kinds, pieces, strict=True):
                with _path(self.folder, self.name, int(i), column.name).open("ab") as file:
                    np.ascontiguousarray(piece).tofile(file)
