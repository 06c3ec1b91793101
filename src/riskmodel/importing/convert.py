"""From one sheet and what its map says to rows of the contract's tables, each with the cell it comes from.

Nothing here looks at a second sheet: who is whose, what is twice and what contradicts is found when all
sheets are there (`riskmodel.importing.assemble`).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import compress

import pandas as pd

from riskmodel.data import CODE_COLUMN, SPAN_TABLES, contract
from riskmodel.grids import Grid
from riskmodel.importing import cell_reading as cells
from riskmodel.importing.cell_reading import ColumnRead
from riskmodel.importing.distinct import of_each
from riskmodel.importing.figures import amounts_less, figure_rows, year_end
from riskmodel.importing.findings import Findings, Handling
from riskmodel.importing.id_reading import read_ids, read_person_numbers
from riskmodel.importing.mapping import UNITS, AmountMap, ColumnMap, ImportMap, SheetMap, TableMap
from riskmodel.importing.masking import cell_mask
from riskmodel.importing.sheet_layout import (
    SheetLayout,
    filled_from_above,
    is_merged_away,
    joined_text,
    text_of,
)
from riskmodel.importing.sheet_rows import SheetRows, read_checks, rows_of_household, with_units
from riskmodel.importing.spans import row_spans
from riskmodel.importing.vocabulary import Vocabulary
from riskmodel.importing.word_columns import DIFFER, differing, join_columns, measure_rows, read_code_column

_WHOSE = ("household_id", "member_id", "person_number", "name", "row_id", "recorded_on")
_PERSONAL = ("person_number", "head_number", "name", "head_name")


class SheetReader:
    """Reads one sheet by its map.

    Parameters
    ----------
    grid, layout, spec
        The sheet, how it is laid out, and what is read of it.
    plan
        The whole map: time zone, words.
    words, findings
        The vocabulary with the county's own words; where what is to be said is added.
    """

    def __init__(
        self,
        grid: Grid,
        layout: SheetLayout,
        spec: SheetMap,
        plan: ImportMap,
        words: Vocabulary,
        findings: Findings,
    ) -> None:
        self.grid, self.layout, self.spec, self.plan = grid, layout, spec, plan
        self.words, self.findings = words, findings
        self._show = cell_mask(words)
        self.rows = [
            row for row in layout.data_rows if spec.hidden_rows == "read" or row not in grid.hidden_rows
        ]
        self._lines = [grid.rows[row - 1] for row in self.rows]
        self.out = SheetRows(grid, layout, spec)
        self.out.recorded_on = spec.recorded_on or layout.facts.recorded_on
        self.out.snapshot_on = spec.snapshot_on or plan.snapshot_on or layout.facts.snapshot_on
        columns = [c for text in spec.fill_down if (c := self._column(text)) is not None]
        marks = words.kinds.get("same_as_above", frozenset())
        self._filled = filled_from_above(grid, max(layout.header_rows, default=0), self.rows, columns, marks)
        # A quote that never closes or a comma too many shifts cells: what stands in such a row is not known.
        self._broken = sorted(set(grid.faults) & set(self.rows))

    def read(self) -> SheetRows:
        """Return the rows of every table that the map names."""
        hidden = [row for row in self.rows if row in self.grid.hidden_rows]
        self.out.hidden = len(hidden)
        for row in hidden[:50]:
            self.findings.add("told", "hidden row", self._place(f"row {row}"))
        for row in self._broken:
            self.findings.add("rejected", "broken row", self._place(f"row {row}"))
        sheet = self.grid.file, self.grid.sheet
        self.findings.shown[sheet] = self._shown
        for table in self.spec.tables:
            absent = [texts[0] for texts in table.choices if all(self._column(t) is None for t in texts)]
            for text in absent:
                handling: Handling = "rejected" if text in table.required_headers else "told"
                self.findings.add(handling, "header absent", self._place(""), text=text)
            if set(absent) & set(table.required_headers):
                continue
            for name, given in table.columns.items():
                if given.column and (at := self._column(given.column)) is not None:
                    self.findings.columns.setdefault((*sheet, f"{table.table}.{name}"), at)
            frame = self._rows_of(table)
            if len(frame):
                self.out.tables.setdefault(table.table, []).append(frame)
        self._checks()
        return self.out

    def _rows_of(self, table: TableMap) -> pd.DataFrame:
        if not (table.measures or table.figures):
            return self._amounts(table) if table.table in SPAN_TABLES else self._records(table)
        columns = ((self._column(text), code) for text, code in (table.measures | table.figures).items())
        whole = [row not in self._broken for row in self.rows]
        found = [(at, code, list(compress(self._raw(at), whole))) for at, code in columns if at is not None]
        day = self.out.snapshot_on or self.out.recorded_on
        base, booleans = self._records(table), self.words.words("booleans")
        if table.measures:
            return measure_rows(table, base, found, booleans, day)
        years = base["year"] if "year" in base else [self._sheet_year()] * len(base)
        ends = [year_end(year, self.spec.first_month) for year in years]
        words = {"booleans": booleans, "kinds": self.words.kinds}
        unit_of = functools.partial(self._unit, None)
        return figure_rows(table, base, found, words, unit_of, ends, day, self.findings)

    def _place(self, where: str) -> tuple[str, str, str]:
        return self.grid.file, self.grid.sheet, where

    def _cell(self, row: int, column: int) -> tuple[str, str, str]:
        return self._place(self.grid.address(row, column))

    def _column(self, text: str) -> int | None:
        header = self.layout.header(text) or self.layout.alike(self.words.meanings([text]))
        return header.column if header else None

    def _raw(self, column: int, *, amounts: bool = False) -> list[object]:
        """Return the cells of a column by data row; vertically merged ones repeat, but for amounts."""
        out: list[object] = [line[column] if column < len(line) else None for line in self._lines]
        if not amounts and (filled := self._filled.get(column)):
            return [filled.get(row, value) for row, value in zip(self.rows, out, strict=True)]
        return out

    def _read_column(self, table: str, name: str, given: ColumnMap) -> tuple[ColumnRead, int | None]:
        """Return what a column of a table says, and which column of the sheet it is."""
        if given.column is None:
            return self._parse(table, name, given, [given.value] * len(self.rows)), None
        here = [one for one in (given, *given.also) if self._column(one.column or "") is not None]
        if here and here[0] is not given:  # another column of the sheet says it
            given = here[0].model_copy(update={"also": tuple(here[1:])})
        column = self._column(given.column or "")
        if column is None:
            return ColumnRead([None] * len(self.rows), [cells.BLANK] * len(self.rows)), None
        raw = self._raw(column)
        for other in dict.fromkeys(self._column(text) for text in given.more):
            if other is not None and other != column:
                raw = [joined_text(a, b) for a, b in zip(raw, self._raw(other), strict=True)]
        read = self._parse(table, name, given, raw)
        if here[1:]:
            differ = join_columns(name, [read, *(self._read_column(table, name, one)[0] for one in here[1:])])
            read.notes |= dict.fromkeys(differ, DIFFER)
        return read, column

    def _parse(self, table: str, name: str, given: ColumnMap, raw: Sequence[object]) -> ColumnRead:
        if (by_name := self._parse_by_name(name, raw)) is not None:
            return by_name
        zone = self.plan.time_zone
        spec = contract().tables[table].columns.get(name)
        kind = spec.type if spec else "text"
        if kind == "date":
            return cells.read_dates(raw, zone)
        if kind == "month":
            two = self._two_decimals(given)
            return cells.read_months(raw, zone, two_decimals=two, year=self._sheet_year())
        if kind in ("amount", "number"):
            return self._parse_number(raw, kind)
        if name in ("eliminated", "insured_employee", "lifted", "dropped_out"):
            return read_code_column(table, name, given, raw, "bool", self.words)
        if kind in ("bool", "code", "codes", "grade") or f"{table}.{name}" in self.words.values:
            return read_code_column(table, name, given, raw, kind, self.words)
        texts = [cells.cell_word(v) or None for v in raw]
        return ColumnRead(texts, [None if text else cells.BLANK for text in texts])

    def _parse_number(self, raw: Sequence[object], kind: str) -> ColumnRead:
        if kind == "amount":
            return cells.read_amounts(raw, self._unit(None), self.words.kinds)
        return cells.numbers(cells.read_amounts(raw, Decimal(1), self.words.kinds, may_be_negative=True))

    def _parse_by_name(self, name: str, raw: Sequence[object]) -> ColumnRead | None:
        """Read ids, identity numbers, and days and years that no table has by that name."""
        zone = self.plan.time_zone
        if name in ("household_id", "member_id", "row_id", "old_id", "new_id"):
            return read_ids(raw)
        if name in ("person_number", "head_number"):
            return read_person_numbers(raw)
        if name in ("identified_on", "eliminated_on", "recorded_on"):
            return cells.read_dates(raw, zone)
        if name in ("year", "lifted_year"):
            return cells.read_years(raw, zone)
        return None

    def _two_decimals(self, given: ColumnMap) -> bool | None:
        """Say whether numbers of a column are shown with two decimals, so that 2021.1 is October."""
        if self.spec.month_numbers == "two_decimals":
            return True
        column = self._column(given.column) if given.column else None
        if column is None:
            return None
        formats = {self.grid.number_format(row, column) for row in self.rows[:200]}
        shown = {f.partition(";")[0].strip() for f in formats if f}
        return True if shown & {"0.00", "0000.00", "#0.00", "####.00"} else None

    def _sheet_year(self) -> int | None:
        return self.spec.year or self.layout.facts.year

    def _unit(self, own: str | None, column: int | None = None) -> Decimal:
        """Return yuan to one: as the column's map, its header, the sheet's map or its title says; else 1."""
        if own:
            return UNITS[own]
        header = next((h for h in self.layout.headers if h.column == column), None)
        if header and header.meanings and header.meanings[0].unit:
            return header.meanings[0].unit
        if self.spec.unit:
            return UNITS[self.spec.unit]
        return self.layout.facts.unit or Decimal(1)

    def _records(self, table: TableMap) -> pd.DataFrame:
        """Return rows of a table other than income and spending."""
        spec = contract().tables[table.table]
        read = {name: self._read_column(table.table, name, given) for name, given in table.columns.items()}
        frame = pd.DataFrame({"row": self.rows}, dtype=object)
        for name, (column, at) in read.items():
            frame[name] = pd.Series(column.values, dtype=object)
            required = bool(spec.columns.get(name) and spec.columns[name].required)
            self._tell_nulls(table, name, column, at, required=required)
            self._tell_differences(table, name, column, at)
            if at is not None and f"{name}_raw" in spec.columns:
                texts = of_each(self._raw(at), lambda v: text_of(v) or None)
                frame[f"{name}_raw"] = pd.Series(texts, dtype=object)
            if "month precision" in column.notes.values():
                exact = {i: "month" for i, note in column.notes.items() if note == "month precision"}
                frame[f"{name}_precision"] = pd.Series(map(exact.get, range(len(frame))), dtype=object)
        frame["col"], frame["file"], frame["sheet"] = -1, self.grid.file, self.grid.sheet
        faults: dict[int, list[str]] = {}
        for name, (column, _) in read.items():
            for at, fault in enumerate(column.faults):
                if fault is not None and fault != cells.BLANK:
                    faults.setdefault(at, []).append(f"{name}:{fault}")
        frame["faults"] = [";".join(faults.get(at, ())) for at in range(len(frame))]
        broken = frame["row"].isin(self._broken)
        if table.table != "members":
            return frame[~broken].reset_index(drop=True)
        # Nobody is lost: the household of a broken row has an unknown number of persons.
        frame.loc[broken, "faults"] = "row:broken"
        return frame

    def _tell_differences(self, table: TableMap, name: str, read: ColumnRead, column: int | None) -> None:
        """Tell of cells that another column of the row contradicts, once a household where it is repeated."""
        if column is None or DIFFER not in read.notes.values():
            return
        own = self._households(table)
        for at in differing(read, own if table.once else self.rows):
            cell, text = self._cell(self.rows[at], column), text_of(self._raw_at(at, column))
            more = {"household_id": own[at] or "", "column": f"{table.table}.{name}"}
            self.findings.add("asked", DIFFER, cell, text=text, **more)

    def _households(self, table: TableMap) -> Sequence[str | None]:
        """Return whose each row is."""
        given = table.columns.get("household_id")
        nobody = [None] * len(self.rows)
        return self._read_column(table.table, "household_id", given)[0].values if given else nobody

    def _tell_nulls(
        self, table: TableMap, name: str, read: ColumnRead, column: int | None, *, required: bool
    ) -> None:
        """Tell of every cell that says nothing and is not blank; required ones are judged with their row."""
        if required or name in ("household_id", "member_id"):
            return
        faults = {at: fault for at, fault in enumerate(read.faults) if fault not in (None, cells.BLANK)}
        if column is None or not faults:
            return
        own = self._households(table)
        for at, fault in faults.items():
            show = text_of if fault == cells.UNKNOWN_WORD else self._show
            text = "" if name in _PERSONAL else show(self._raw_at(at, column))
            kind = fault if fault in (cells.UNKNOWN_WORD, cells.BAD_CHECK) else "unreadable cell"
            cell = self._cell(self.rows[at], column)
            more = {"household_id": own[at] or "", "column": f"{table.table}.{name}"}
            self.findings.add("null", kind, cell, text=text, **more)

    def _raw_at(self, at: int, column: int) -> object:
        line = self._lines[at]
        return line[column] if column < len(line) else None

    def _shown(self, row: int, column: int, name: str) -> str:
        """Return what stands in a cell of ``table.column``, without personal data; a code as typed."""
        line = self.grid.rows[row - 1]
        spec = contract().tables[name.partition(".")[0]].columns.get(name.partition(".")[2])
        show = text_of if spec and spec.type in ("code", "codes") else self._show
        return show(line[column]) if column < len(line) else ""

    def _amounts(self, table: TableMap) -> pd.DataFrame:
        """Return one row for each amount: whose, of what, of which months, how much or why not."""
        base = self._keys(table)
        when = self._when(table, base)
        items = self._item_column(table)
        frames = []
        for amount in self._amount_columns(table):
            column = self._column(amount.column)
            if column is None:
                continue
            part, earlier = amount.column if amount.part else None, amount.years_back > 0
            frame = base.assign(form=bool(amount.item or amount.months), part=part, earlier=earlier)
            if amount.item or items is None:
                frame["item"] = amount.item
            else:
                frame["item"] = pd.Series(items.values, dtype=object)
                frame["item_fault"] = pd.Series(items.faults, dtype=object)
                frame["item_text"] = texts = pd.Series(self._item_texts(table), dtype=object)
                frame["part"] = texts.where(texts.isin(self.words.parts(texts.unique())), None)
            self._read_amounts(frame, amount, column, table)
            first, last, frame["cumulative"], faults = row_spans(
                when, amount, len(frame), self.spec, self.layout.facts, self._sheet_year()
            )
            if back := 12 * amount.years_back:
                first, last = ([m and m - back for m in months] for months in (first, last))
            for name, values in (("month_from", first), ("month_to", last), ("when_fault", faults)):
                frame[name] = pd.Series(values, dtype=object)
            if cells.AMBIGUOUS in faults and (month := table.columns.get("month")):
                at = self._column(month.column or "")
                frame["month_text"] = [] if at is None else [text_of(v) for v in self._raw(at)]
            frame["recorded_on"] = self._written(frame)
            frames.append(self._without_merged_away(frame, column))
        out = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
        return rows_of_household(out) if len(out) and table.once else out

    def _read_amounts(self, frame: pd.DataFrame, amount: AmountMap, column: int, table: TableMap) -> None:
        """Fill in what a column of amounts says; only net income of a business may be below zero."""
        raw, unit = self._with_units(self._raw(column, amounts=True), table), self._unit(amount.unit, column)
        read = cells.read_amounts(raw, unit, self.words.kinds, may_be_negative=True)
        if self.spec.blank_is_zero:
            read = cells.blank_as_zero(read)
        if amount.less is not None and (taken := self._column(amount.less)) is not None:
            less = cells.read_amounts(self._raw(taken), self._unit(amount.unit, taken), self.words.kinds)
            read = amounts_less(read, less)
        faults = list(read.faults)
        if self.grid.faults or any(v is not None and v < 0 for v in read.values):
            faults = [
                self._amount_fault(row, value, fault, may_be_negative=item == "business_net")
                for row, value, fault, item in zip(self.rows, read.values, faults, frame["item"], strict=True)
            ]
        amounts = [None if fault else value for value, fault in zip(read.values, faults, strict=True)]
        frame["col"], texts = column, of_each(raw, self._show)
        for name, values in (("text", texts), ("amount", amounts), ("fault", faults)):
            frame[name] = pd.Series(values, dtype=object)
        if cells.NEGATIVE in faults:
            below = [v if f == cells.NEGATIVE else None for v, f in zip(read.values, faults, strict=True)]
            frame["below_zero"] = pd.Series(below, dtype=object)

    def _with_units(self, raw: list[object], table: TableMap) -> list[object]:
        """Return cells with the unit that a column of units gives them."""
        given = table.columns.get("amount_unit")
        at = self._column(given.column) if given and given.column else None
        return raw if at is None else with_units(raw, self._raw(at))

    def _amount_fault(
        self, row: int, value: Decimal | None, fault: str | None, *, may_be_negative: bool
    ) -> str | None:
        """Return why there is no amount: its row is broken, its cell says none, or it is below zero."""
        if row in self.grid.faults:
            return cells.UNREADABLE
        return cells.NEGATIVE if value is not None and value < 0 and not may_be_negative else fault

    def _written(self, frame: pd.DataFrame) -> pd.Series:
        """Return when each amount was written down: its own day; of a total, else, the day of the sheet.

        The day of a sheet or file says so only of the newest totals in it: an export of several years was not
        written down in one day. Months have no such day: they are known at their own end.
        """
        day, own = self.out.recorded_on, frame["recorded_on"]
        if day is None:
            return own
        through = day.year * 12 + day.month - 1
        spans = list(zip(frame["month_from"], frame["month_to"], strict=True))
        newest = of_each(
            spans, lambda s: all(isinstance(m, int) for m in s) and s[0] < s[1] < through <= s[1] + 12
        )
        return own.where(own.notna() | ~pd.Series(newest, index=frame.index), day)

    def _without_merged_away(self, frame: pd.DataFrame, column: int) -> pd.DataFrame:
        if not any(r2 > r1 and c1 <= column <= c2 for r1, c1, r2, c2 in self.grid.merged):
            return frame
        return frame.loc[[not is_merged_away(self.grid, row, column) for row in frame["row"]]]

    def _amount_columns(self, table: TableMap) -> Iterable[AmountMap]:
        if table.amounts:
            return table.amounts
        given = table.columns.get("amount")
        return (AmountMap(column=given.column),) if given and given.column else ()

    def _keys(self, table: TableMap) -> pd.DataFrame:
        """Return whose each row is."""
        frame = pd.DataFrame({"row": self.rows}, dtype=object)
        for name in (n for n in _WHOSE if n in table.columns):
            read, column = self._read_column(table.table, name, table.columns[name])
            frame[name] = pd.Series(read.values, dtype=object)
            frame[f"{name}_fault"] = pd.Series(read.faults, dtype=object)
            if name == "recorded_on":
                self._tell_nulls(table, name, read, column, required=False)
        if "recorded_on" not in frame:
            frame["recorded_on"] = None
        for name in ("file", "sheet"):  # one text, and not one a row
            frame[name] = pd.Series([getattr(self.grid, name)] * len(frame), dtype=object)
        return frame

    def _item_column(self, table: TableMap) -> ColumnRead | None:
        code = CODE_COLUMN[table.table]
        given = table.columns.get("item") or table.columns.get(code)
        if given is None:
            return None
        column = self._column(given.column) if given.column else None
        raw = self._raw(column) if column is not None else [given.value] * len(self.rows)
        vocabulary = (
            self.words.extended({f"{table.table}.{code}": given.words}) if given.words else self.words
        )
        return cells.read_words(raw, vocabulary.words(f"{table.table}.{code}"))

    def _item_texts(self, table: TableMap) -> list[str]:
        given = table.columns.get("item") or table.columns.get(CODE_COLUMN[table.table])
        column = self._column(given.column) if given and given.column else None
        return (
            [""] * len(self.rows) if column is None else of_each(self._raw(column), lambda v: text_of(v)[:40])
        )

    def _when(self, table: TableMap, base: pd.DataFrame) -> dict[str, ColumnRead]:
        """Return what the columns of time say, by the name of what they say."""
        out: dict[str, ColumnRead] = {}
        columns = table.columns
        if "year" in columns:
            out["year"] = self._read_column(table.table, "year", columns["year"])[0]
        years = out["year"].values if "year" in out else self._sheet_year()
        for name in ("month", "month_from", "month_to"):
            if name not in columns or columns[name].column is None:
                continue
            at = self._column(columns[name].column or "")
            if at is None:
                continue
            raw, zone, two = self._raw(at), self.plan.time_zone, self._two_decimals(columns[name])
            out[name] = cells.read_months(raw, zone, year=years, two_decimals=two)
            if cells.AMBIGUOUS in out[name].faults:
                groups = self._groups(table, base)
                out[name] = cells.read_months(raw, zone, year=years, two_decimals=two, groups=groups)
            self._tell_months(out[name], at)
        if "period" in columns and (at := self._column(columns["period"].column or "")) is not None:
            out["period"] = cells.read_spans(self._raw(at), year=years)
        return out

    def _groups(self, table: TableMap, base: pd.DataFrame) -> list[tuple[object, ...]]:
        """Return what the rows of one person and source have in common, for the order of months."""
        item = self._item_column(table)
        parts = [base[c] for c in ("household_id", "member_id", "name", "person_number") if c in base]
        if item:
            parts.append(pd.Series(item.values, dtype=object))
        return [tuple(str(v) for v in row) for row in zip(*parts, strict=True)] if parts else [()] * len(base)

    def _tell_months(self, read: ColumnRead, column: int) -> None:
        by_order = [at for at, note in read.notes.items() if note == "month by order"]
        open_rows = [at for at, fault in enumerate(read.faults) if fault == cells.AMBIGUOUS]
        for kind, places in (("month by order", by_order), ("ambiguous month", open_rows)):
            if places:
                text = self._show(self._raw_at(places[0], column))
                cell = self._cell(self.rows[places[0]], column)
                self.findings.add("asked", kind, cell, text=text, n=len(places))

    def _checks(self) -> None:
        """Keep the columns that say what their parts should give."""
        if not self.spec.checks:
            return
        key = next((t.columns["household_id"] for t in self.spec.tables if "household_id" in t.columns), None)
        ids = (
            self._read_column("households", "household_id", key)[0].values if key else [None] * len(self.rows)
        )
        read = read_checks(self.spec.checks, self.grid, self.rows, ids, self._column, self._amounts_in)
        self.out.checks += read

    def _amounts_in(
        self, column: int, own: str | None = None, *, counts: bool = False
    ) -> list[Decimal | None]:
        """Return the amounts of a column, or counts of persons, as they stand."""
        unit = Decimal(1) if counts else self._unit(own, column)
        raw = self._raw(column, amounts=True)
        return cells.read_amounts(raw, unit, self.words.kinds, may_be_negative=True).values
