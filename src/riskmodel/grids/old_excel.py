"""What an .xls file (BIFF) says of its cells beyond their values, and which streams an OLE file holds.

References: [MS-CFB] Compound File Binary File Format; [MS-XLS] Excel Binary File Format, 2.3 and 2.4.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from riskmodel.errors import InputRefused
from riskmodel.grids.marks import SheetMarks, builtin_format

OLE_SIGNATURE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_END = 0xFFFFFFFA  # larger sector numbers are signs, no sectors
_ENTRY = 128


class OleFile:
    """The streams of a compound file.

    Parameters
    ----------
    data
        The whole file.

    Raises
    ------
    InputRefused
        If it is broken.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        try:
            self._open()
        except (struct.error, IndexError, ValueError) as exc:
            raise InputRefused(f"is a broken compound file ({exc})") from exc

    def _open(self) -> None:
        header = self._data[:512]
        self._shift, self._small_shift = struct.unpack_from("<HH", header, 30)
        directory, self._cutoff, small_table, _, more, _ = struct.unpack_from("<I4xIIIII", header, 48)
        if not 7 <= self._shift <= 16:
            raise ValueError("sector size")
        table = [s for s in struct.unpack_from("<109I", header, 76) if s < _END]
        size = (1 << self._shift) // 4
        while more < _END and len(table) < len(self._data):
            *sectors, more = struct.unpack(f"<{size}I", self._sector(more))
            table += [s for s in sectors if s < _END]
        self._next = [n for s in table for n in struct.unpack(f"<{size}I", self._sector(s))]
        entries = self._chain(directory)
        self.streams: dict[str, tuple[int, int]] = {}
        self._small = b""
        for at in range(0, len(entries) - _ENTRY + 1, _ENTRY):
            length, kind = struct.unpack_from("<HB", entries, at + 64)
            start, count = struct.unpack_from("<II", entries, at + 116)
            name = entries[at : at + max(min(length, 64) - 2, 0)].decode("utf-16-le", "replace")
            if kind == 5:
                self._small = self._chain(start) if start < _END else b""
            elif kind == 2:
                self.streams[name] = start, count
        smaller = self._chain(small_table) if small_table < _END else b""
        self._small_next = list(struct.unpack(f"<{len(smaller) // 4}I", smaller))

    def _sector(self, number: int) -> bytes:
        size = 1 << self._shift
        data = self._data[(number + 1) * size : (number + 2) * size]
        return data.ljust(size, b"\x00")

    def _chain(self, sector: int) -> bytes:
        parts: list[bytes] = []
        while sector < _END:
            parts.append(self._sector(sector))
            sector = self._next[sector]
            if len(parts) > len(self._next):
                raise ValueError("sectors in a circle")
        return b"".join(parts)

    def read(self, name: str) -> bytes:
        """Return the content of a stream.

        Raises
        ------
        InputRefused
            If it is broken.
        """
        start, count = self.streams[name]
        try:
            if count >= self._cutoff:
                return self._chain(start)[:count]
            parts: list[bytes] = []
            size = 1 << self._small_shift
            while start < _END and len(parts) * size < count:
                parts.append(self._small[start * size : (start + 1) * size])
                start = self._small_next[start]
            return b"".join(parts)[:count]
        except (IndexError, ValueError) as exc:
            raise InputRefused(f"is a broken compound file ({exc})") from exc


_BOF, _EOF, _SHEET, _DATES, _FORMAT, _STYLE, _PASSWORD = 0x809, 0x0A, 0x85, 0x22, 0x41E, 0xE0, 0x2F
_ROW, _COLUMNS, _BOOL_OR_ERROR, _FORMULA, _MERGED = 0x208, 0x7D, 0x205, 0x06, 0xE5
_ONE_CELL = (0x203, 0x27E, 0xFD, 0x204, 0xD6, 0x201, _BOOL_OR_ERROR, _FORMULA)  # row, column, style …
_MANY_CELLS = {0xBD: 6, 0xBE: 2}  # row, first column, then cells of so many bytes each
_ERRORS = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A"}


class XlsBook:
    """The sheets of an .xls file.

    Parameters
    ----------
    data
        The stream ``Workbook`` or ``Book`` of the file.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._starts: list[int] = []
        self._styles: list[int] = []
        self._formats: dict[int, str] = {}
        self.date1904 = self.protected = False
        wide = data[4:6] == b"\x00\x06"
        for kind, body in self._records(0):
            if kind == _SHEET:
                self._starts.append(struct.unpack_from("<I", body)[0])
            elif kind == _DATES:
                self.date1904 = body[:1] == b"\x01"
            elif kind == _STYLE:
                self._styles.append(struct.unpack_from("<H", body, 2)[0])
            elif kind == _FORMAT and wide:
                self._formats[struct.unpack_from("<H", body)[0]] = _wide_text(body[2:])
            elif kind == _PASSWORD:
                self.protected = True

    def _records(self, at: int) -> Iterator[tuple[int, bytes]]:
        """Yield the records of one substream, without those of charts within it."""
        data, depth = self._data, 0
        while at + 4 <= len(data):
            kind, length = struct.unpack_from("<HH", data, at)
            depth += (kind in (_BOF, 0x409, 0x209)) - (kind == _EOF)
            if depth <= 0:
                return
            if depth == 1:
                yield kind, data[at + 4 : at + 4 + length]
            at += 4 + length

    def marks(self, sheet: int) -> SheetMarks:
        """Return the marks of a sheet, counted from 0; merged areas come with the values."""
        marks = SheetMarks()
        for kind, body in self._records(self._starts[sheet]):
            if kind == _ROW and len(body) >= 14:
                if body[12] & 0x20:
                    marks.hidden_rows.add(body[0] + 256 * body[1] + 1)
            elif kind == _COLUMNS and len(body) >= 10:
                first, last, width, _, options = struct.unpack_from("<5H", body)
                if options & 1 or width == 0:
                    marks.hidden_columns |= set(range(first, last + 1))
            elif kind == _BOOL_OR_ERROR and body[7] == 1:
                marks.errors[_place(body)] = _ERRORS.get(body[6], "#N/A")
            elif kind == _FORMULA:
                marks.formulas.add(_place(body))
                if body[12:14] == b"\xff\xff" and body[6] == 2:
                    marks.errors[_place(body)] = _ERRORS.get(body[8], "#N/A")
        return marks

    def formats(self, sheet: int) -> Callable[[int, int], str]:
        """Return row and column to number format, for a sheet counted from 0."""
        styles: dict[tuple[int, int], int] = {}
        for kind, body in self._records(self._starts[sheet]):
            if kind in _ONE_CELL:
                styles[_place(body)] = struct.unpack_from("<H", body, 4)[0]
            elif kind in _MANY_CELLS:
                row, column = _place(body)
                for i, at in enumerate(range(4, len(body) - 3, _MANY_CELLS[kind])):
                    styles[row, column + i] = struct.unpack_from("<H", body, at)[0]

        def code(row: int, column: int) -> str:
            style = styles.get((row, column), 0)
            number = self._styles[style] if style < len(self._styles) else 0
            return self._formats.get(number) or builtin_format(number)

        return code


def _place(body: bytes) -> tuple[int, int]:
    row, column = struct.unpack_from("<HH", body)
    return row + 1, column


def _wide_text(body: bytes) -> str:
    """Return a text with its length and a flag before it."""
    count, flag = struct.unpack_from("<HB", body)
    return (
        body[3 : 3 + 2 * count].decode("utf-16-le", "replace")
        if flag & 1
        else body[3:][:count].decode("latin-1")
    )
