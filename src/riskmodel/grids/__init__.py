"""Files as they come, as grids of cells: any spreadsheet, text file, web page or stored table."""

from riskmodel.grids.files import WORKBOOKS, file_kind, read_file
from riskmodel.grids.grid import Cell, CellError, Grid, Skipped, column_letters
from riskmodel.grids.text_files import (
    BOM,
    LOST,
    find_encoding,
    narrow_text,
    split_lines,
    split_records,
)

__all__ = [
    "BOM",
    "LOST",
    "WORKBOOKS",
    "Cell",
    "CellError",
    "Grid",
    "Skipped",
    "column_letters",
    "file_kind",
    "find_encoding",
    "narrow_text",
    "read_file",
    "split_lines",
    "split_records",
]
