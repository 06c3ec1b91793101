"""Which encoding a text file has, found by looking: UTF-8, else GB18030."""

from __future__ import annotations

import codecs

from riskmodel.errors import InputRefused

_BLOCK = 1 << 24


def find_encoding(data: bytes, file: str) -> tuple[str, bool]:
    """Return the encoding of a file and whether every byte of it is well formed.

    A file is UTF-8 if all of it is, or if most of its lines with bytes beyond ASCII are; else GB18030 by
    the same test. The majority decides because one broken byte in a UTF-8 file often leaves it readable
    as GB18030, with every Chinese word turned into another.

    Raises
    ------
    InputRefused
        If it is neither.

    Examples
    --------
    >>> find_encoding("户编号,金额".encode("gb18030"), "x.csv")
    ('gb18030', True)
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or data.count(b"\x00") > len(data) / 10:
        raise InputRefused(f"{file}: looks like UTF-16; save it as CSV UTF-8")
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
