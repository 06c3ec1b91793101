"""Text files: their encoding, delimiter and records, found by looking, none lost.

A file is split line by line, so that one stray quote or one broken byte costs its own row and not those
after it. Whether a lone quote opens a cell of several lines is decided by the number of fields that result.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter, deque
from collections.abc import Iterator
from itertools import islice

from riskmodel.errors import InputRefused
from riskmodel.grids.grid import Cell, Grid, trim
from riskmodel.i18n import Message

BOM = b"\xef\xbb\xbf"
LOST = "\ufffd"
_BLOCK = 1 << 24
_MOST_LINES_A_RECORD = 50  # a longer quoted cell is taken for a quote that was never closed


def find_encoding(data: bytes, file: str) -> tuple[str, bool]:
    """Return the encoding of a file and whether every byte of it is well formed.

    UTF-16 is known by its mark, or by zero bytes that stand at one side of the pairs. Else a file is UTF-8 if
    all of it is, or if most of its lines with bytes beyond ASCII are; else GB18030 by the same test. The
    majority decides because one broken byte in a UTF-8 file often leaves it readable as GB18030, with every
    Chinese word turned into another.

    Parameters
    ----------
    data
        The bytes of the file.
    file
        Its name, for the message.

    Returns
    -------
    encoding : str
        ``utf-8``, ``gb18030``, ``utf-16`` (with a mark), ``utf-16-le`` or ``utf-16-be``.
    clean : bool
        Whether every byte is well formed.

    Raises
    ------
    InputRefused
        If it is none of them.

    Examples
    --------
    >>> find_encoding("户编号,金额".encode("gb18030"), "x.csv")
    ('gb18030', True)
    >>> find_encoding("户编号,2021-01".encode("utf-16-le"), "x.csv")
    ('utf-16-le', True)
    """
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16", _decodes(data, "utf-16")
    if data.count(b"\x00") > len(data) / 10:
        # An ASCII sign in UTF-16 has its zero byte second in little-endian, first in big-endian.
        second, first = data[1::2].count(b"\x00"), data[::2].count(b"\x00")
        wide = "utf-16-le" if second > first else "utf-16-be"
        if len(data) % 2 == 0 and min(first, second) < max(first, second) / 10 and _decodes(data, wide):
            return wide, True
        raise InputRefused(f"{file}: holds zero bytes and is no text; save it as CSV UTF-8")
    if _decodes(data, "utf-8"):
        return "utf-8", True
    lines = [line for line in data.split(b"\n") if not line.isascii()]
    if _share_decodable(lines, "utf-8") > 0.5:
        return "utf-8", False
    if _decodes(data, "gb18030"):
        return "gb18030", True
    if _share_decodable(lines, "gb18030") > 0.5:
        return "gb18030", False
    if len(lines) > (data.count(b"\n") + 1) / 2:
        raise InputRefused(f"{file}: neither UTF-8 nor GB18030; save it as CSV UTF-8")
    return "utf-8", False


def _decodes(data: bytes, encoding: str) -> bool:
    # Block by block: a large file need not stand in memory a second time as text.
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for start in range(0, len(data), _BLOCK):
            decoder.decode(data[start : start + _BLOCK])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _share_decodable(lines: list[bytes], encoding: str) -> float:
    return sum(_decodes(line, encoding) for line in lines) / len(lines)


def narrow_text(data: bytes, file: str) -> tuple[bytes, str, bool]:
    """Return a text file without its mark, in an encoding whose line ends are single bytes.

    UTF-16 becomes UTF-8; anything else stays as it is.

    Returns
    -------
    data : bytes
        The content.
    encoding : str
        ``utf-8`` or ``gb18030``.
    clean : bool
        Whether every byte was well formed.

    Raises
    ------
    InputRefused
        As `find_encoding`.
    """
    data = data.removeprefix(BOM)
    encoding, clean = find_encoding(data, file)
    if encoding.startswith("utf-16"):
        return data.decode(encoding, errors="replace").encode("utf-8", errors="replace"), "utf-8", clean
    return data, encoding, clean


def split_lines(data: bytes, encoding: str) -> Iterator[str]:
    """Yield the lines of a file without their ends, broken bytes replaced by U+FFFD."""
    return (line.rstrip("\n") for line in io.TextIOWrapper(io.BytesIO(data), encoding, errors="replace"))


def split_records(
    lines: Iterator[str], delimiter: str, width: int | None
) -> Iterator[tuple[int, list[str], str | None]]:
    """Yield ``(row number, fields, reason)``; blank lines are counted and left out.

    Parameters
    ----------
    lines
        Of the file, in order.
    delimiter
        Between fields.
    width
        The number of fields of a whole record, by which a cell of several lines is told from a stray quote;
        None if it is not known yet.
    """
    waiting: deque[str] = deque()
    row = 0
    while True:
        line = waiting.popleft() if waiting else next(lines, None)
        if line is None:
            return
        row += 1
        if line.count('"') % 2 == 0:
            if line.strip():
                yield row, _fields(line, delimiter), None
            continue
        joined = _join_open_quote(line, lines, waiting)
        fields = _fields("\n".join(joined), delimiter) if joined else []
        if joined and (width is None or _one_record(joined, fields, delimiter, width)):
            yield row, fields, None
        else:
            waiting.extendleft(reversed(joined[1:]))
            yield row, [line], "broken quotes"


def _join_open_quote(line: str, lines: Iterator[str], waiting: deque[str]) -> list[str]:
    """Return the lines of a record whose quotes close; where they never do, put all back and return none."""
    joined = [line]
    while len(joined) < _MOST_LINES_A_RECORD:
        following = waiting.popleft() if waiting else next(lines, None)
        if following is None:
            break
        joined.append(following)
        if following.count('"') % 2:
            return joined
    waiting.extendleft(reversed(joined[1:]))
    return []


def _one_record(joined: list[str], fields: list[str], delimiter: str, width: int) -> bool:
    # Two stray quotes some rows apart also "close"; then a line between them is a whole row by itself.
    return len(fields) == width and all(part.count(delimiter) < width - 1 for part in joined[1:])


def _fields(text: str, delimiter: str) -> list[str]:
    if '"' not in text or len(text) >= csv.field_size_limit():
        return text.split(delimiter)
    parsed = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    return parsed[0] if len(parsed) == 1 else text.split(delimiter)


_USUAL = ",\t;"
_UNUSUAL = "|，、"
_EMPTY = b"\x00\r\n\t ,;|"
_NEVER = "\x1f"  # stands in no text: a file without a delimiter is one column
_SAMPLE = 500
_SAMPLE_BYTES = 1 << 20
# A small table can stand under many titles; signs that also part words must do better.
_LEAST_USUAL, _LEAST_UNUSUAL = 0.2, 0.6
_EXAMPLES = 5
# Exports keep a number from being rounded by writing it as a formula: ="00123".
_FORMULA_TEXT = re.compile(r'="(.*)"', re.DOTALL)


def find_delimiter(data: bytes, encoding: str) -> tuple[str | None, int]:
    r"""Return the sign between fields and the usual number of fields; None where there is but one.

    It is the sign that cuts the largest share of the first records into one same number of fields, and of
    equals the one that makes more. Signs that also stand within texts (``|，、``) count only where the usual
    ones find nothing.

    Parameters
    ----------
    data, encoding
        The file, its encoding known.

    Examples
    --------
    >>> find_delimiter("户编号;金额\nh1;1,5\nh2;2,5".encode(), "utf-8")
    (';', 2)
    """
    for signs, least in ((_USUAL, _LEAST_USUAL), (_UNUSUAL, _LEAST_UNUSUAL)):
        share, width, delimiter = max((_cut(data, encoding, sign) for sign in signs), key=lambda cut: cut[:2])
        if share >= least:
            return delimiter, width
    return None, 1


def _cut(data: bytes, encoding: str, delimiter: str) -> tuple[float, int, str]:
    """Return the share of the first records that are equally wide, how wide that is, and the delimiter."""
    lines = split_lines(data[:_SAMPLE_BYTES], encoding)
    records = [fields for _, fields, _ in islice(split_records(lines, delimiter, None), _SAMPLE)]
    # A title or note is one text and does not tell how wide the table is.
    counts = Counter(len(fields) for fields in records if sum(map(bool, fields)) > 1)
    if not counts:
        return 0.0, 1, delimiter
    width, times = max(counts.items(), key=lambda item: (item[1], item[0]))
    return times / len(records), width, delimiter


def read_text(data: bytes, file: str) -> Grid | None:
    """Read a text file as a grid.

    Parameters
    ----------
    data
        The content of the file.
    file
        Its name.

    Returns
    -------
    Grid or None
        Row numbers are those a spreadsheet would show; None where nothing stands in it. One column where no
        delimiter is found.

    Raises
    ------
    InputRefused
        If it is no text in a known encoding.
    """
    data, encoding, clean = narrow_text(data, file)
    data = data.rstrip(b"\x00\x1a")  # padding and the end mark of old systems
    if not data.strip(_EMPTY):
        return None
    delimiter, width = find_delimiter(data, encoding)
    quoted_formulas = b'="' in data
    broken = not clean or b"\x00" in data or LOST.encode(encoding) in data
    rows: list[list[Cell]] = []
    faults: dict[int, str] = {}
    once = dict[str, str]().setdefault  # equal texts share their memory
    blank: list[Cell] = []
    for row, fields, fault in split_records(split_lines(data, encoding), delimiter or _NEVER, width):
        rows.extend([blank] * (row - 1 - len(rows)))
        cells: list[Cell] = [once(text, text) if text and not text.isspace() else None for text in fields]
        if quoted_formulas:
            cells = [_without_formula(cell) for cell in cells]
        reason = fault or ("wrong encoding" if broken and _broken(cells) else _width_fault(cells, width))
        if reason:
            faults[row] = reason
        rows.append(cells)
    if not any(rows):
        return None
    return Grid(file, "", trim(rows), faults=faults, notices=tuple(_notices(file, faults)))


def _without_formula(cell: Cell) -> Cell:
    match = _FORMULA_TEXT.fullmatch(cell.strip()) if isinstance(cell, str) else None
    return (match[1] or None) if match else cell


def _broken(cells: list[Cell]) -> bool:
    return any(isinstance(cell, str) and (LOST in cell or "\x00" in cell) for cell in cells)


def _width_fault(cells: list[Cell], width: int) -> str | None:
    if len(cells) == width:
        return None
    filled = sum(cell is not None for cell in cells)
    # A title, a note or a blank row may be shorter than the table.
    if filled <= 1 or (len(cells) > width and all(cell is None for cell in cells[width:])):
        return None
    return "wrong number of fields"


def _notices(file: str, faults: dict[int, str]) -> Iterator[Message]:
    for fault in sorted(set(faults.values())):
        rows = [row for row, reason in faults.items() if reason == fault]
        examples = ", ".join(map(str, rows[:_EXAMPLES]))
        what = examples + (", …" if len(rows) > _EXAMPLES else "")
        values = {"file": file, "n": len(rows), "rows": what, "why": Message(f"data.reasons.{fault}")}
        yield Message("grids.notices.faulty rows", values)
