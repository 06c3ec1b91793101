"""A table written once: the same columns, kinds and rows go to a page, a workbook sheet or a CSV file."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from riskmodel.evaluation import METRICS
from riskmodel.io import write_table

if TYPE_CHECKING:
    from markupsafe import Markup

Words = Mapping[str, str]
Text = Words | str  # a text that both languages share, or one for each
Value = str | float | dt.date | Words | None
Kind = Literal[
    "number",  # formatted text or a plain number, aligned right
    "count",
    "integer",
    "yuan",
    "share",
    "percent",
    "chance",
    "date",
    "id",
    "label",
    "text",
    "wrap",
    "line",
    "pick",
    "entry",
    "date_entry",
]
TEXT_KINDS = ("id", "label", "text", "wrap", "line")
ENTRIES = ("pick", "entry", "date_entry")  # columns that a reader fills in
NOTHING = "—"
SHARES = ("base_rate", "recall")


@dataclass(frozen=True)
class Cell:
    """One cell: a value or words in both languages, small print below, and how it is set off."""

    value: Value = ""
    small: str = ""
    mark: str = ""


Content = Cell | Value  # what may stand in a row


@dataclass(frozen=True)
class Column:
    """One column: heading, how its values are written, and what a workbook must know of it.

    Parameters
    ----------
    heading : str or mapping of language to text
        Heading of the column: plain text, or the text by language.
    kind : str
        How values are formatted and aligned; see `riskmodel.presentation.workbook.KINDS`.
    key : str
        Name for machines: the header in a CSV file.
    group : str or mapping
        Heading over neighbouring columns that share it.
    width : int, optional
        In characters of a sheet; by default as wide as the content.
    choices : tuple of str
        What a reader may pick (kind ``pick``).
    meaning : str
        One sentence for the dictionary of a workbook.
    printed : bool
        Whether it belongs to the printed page.
    several : bool
        Whether a reader may pick several, parted by semicolons.
    """

    heading: Text
    kind: Kind = "number"
    key: str = ""
    group: Text = ""
    width: int | None = None
    choices: tuple[str, ...] = ()
    meaning: str = ""
    printed: bool = True
    several: bool = False

    @property
    def is_text(self) -> bool:
        """Whether its cells are aligned left on a page."""
        return self.kind in TEXT_KINDS


@dataclass(frozen=True)
class Row:
    """One row; ``mark`` sets it off: ``best``, ``total``, ``waiting``, ``alarm``, ``look`` or ``ok``."""

    cells: Sequence[Content]
    mark: str = ""

    @property
    def full(self) -> list[Cell]:
        """The cells, plain values wrapped."""
        return [cell if isinstance(cell, Cell) else Cell(cell) for cell in self.cells]

    @property
    def values(self) -> list[Value]:
        """The values without small print and marks."""
        return [cell.value for cell in self.full]


class PagePart:
    """What stands on a page: templates know it by the name of its class."""

    @property
    def part(self) -> str:
        """Its kind."""
        return type(self).__name__.lower()


@dataclass(frozen=True)
class Table(PagePart):
    """A table for people.

    Parameters
    ----------
    columns : sequence of Column
        Columns in order; each says what kind of value it holds.
    rows : sequence of Row
        Rows in order, one value a column.
    id : str
        Anchor on a page.
    title : str or mapping of language to text
        Caption of the table.
    sheet : str
        Name of its sheet; the title by default.
    notes : sequence of str or mapping
        Sentences that go with it: what percentages are of, where figures come from.
    labels : int
        How many columns at the left say what a row is.
    folded : bool
        Shown on a page only when its title is clicked.
    wide : bool
        Long text: cells wrap.
    """

    columns: Sequence[Column]
    rows: Sequence[Row]
    id: str = ""
    title: Text = ""
    sheet: str = ""
    notes: Sequence[Text] = ()
    labels: int = 0
    folded: bool = False
    wide: bool = False

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, columns: Sequence[Column], **options: Any) -> Table:
        """Return a table of a frame's columns, in the order of ``columns`` (by their keys)."""
        values = frame[[c.key for c in columns]].itertuples(index=False, name=None)
        return cls(columns, [Row([plain_value(v) for v in row]) for row in values], **options)

    @property
    def grouped(self) -> bool:
        """Whether its header has two lines."""
        return any(column.group for column in self.columns)

    @property
    def groups(self) -> list[tuple[Text, list[Column]]]:
        """The first line of a header of two: headings with the columns below; a lone column stands alone."""
        out: list[tuple[Text, list[Column]]] = []
        for column in self.columns:
            if column.group and out and out[-1][0] == column.group:
                out[-1][1].append(column)
            else:
                out.append((column.group, [column]))
        return out

    def to_html(self) -> Markup:
        """Return the table as HTML, both languages in it, everything escaped."""
        from riskmodel.presentation.page import part_html

        return part_html(self)

    def to_csv(self, path: str | Path, language: str = "zh") -> Path:
        """Write the table's values under the columns' keys; words in one language.

        Parameters
        ----------
        path : str or Path
            UTF-8 with BOM; text that a spreadsheet could take for a formula gets an apostrophe in front.
        language : {"zh", "en"}
            Language of headings and words.

        Returns
        -------
        Path
            The file that was written.
        """
        keys = [c.key or in_language(c.heading, language) for c in self.columns]
        rows = [[in_language(v, language) for v in row.values] for row in self.rows]
        return write_table(pd.DataFrame(rows, columns=keys, dtype=object), path)

    def to_sheet(self, book: Any, **options: Any) -> Any:
        """Write the table as a sheet of a `riskmodel.presentation.workbook.Workbook`."""
        return book.table(self, **options)


def in_language(value: Any, language: str) -> Any:
    """Return a value in one language: words as their text, all else as it is."""
    # Most values are plain; to ask whether those are mappings would cost more than to write them.
    plain = value is None or type(value) in (str, float, int)
    return value if plain or not isinstance(value, Mapping) else value[language]


def plain_value(value: Any) -> Value:
    """Return a value of a frame as tables hold it; missing is None."""
    return None if value is None or value is pd.NA or value != value else value


def shown(value: Value, kind: str) -> Value:
    """Return a cell's value as a page prints it; a missing one is empty.

    Examples
    --------
    >>> shown(0.7229, "share"), shown(1144, "count"), shown(None, "count")
    ('72.3%', '1144', '')
    """
    if value is None:
        return ""
    if kind in ("share", "percent") and isinstance(value, float | int):
        return f"{value:.1%}"
    return value if isinstance(value, str | Mapping) else str(value)


def is_share(name: str) -> bool:
    """Say whether a quantity of this name is written in percent."""
    return name in SHARES or (name in METRICS and METRICS[name].share)


def number(value: Any, name: str = "") -> str:
    """Return a number as people read it: counts whole, shares in percent, the rest with three digits.

    Examples
    --------
    >>> number(1234), number(0.0625, "base_rate"), number(0.73456), number(float("nan"))
    ('1,234', '6.2%', '0.735', '—')
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NOTHING
    if is_share(name):
        return f"{value:.1%}"
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:.3f}"


def interval(row: Mapping[Any, Any], name: str) -> str:
    """Return ``[low, high]`` of a metric; empty where there is none."""
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f"[{number(low, name)}, {number(high, name)}]"
