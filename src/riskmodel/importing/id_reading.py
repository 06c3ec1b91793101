"""What the ids of households, members and persons say, whatever a spreadsheet made of them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pandas as pd

from riskmodel.importing.cell_reading import (
    BAD_CHECK,
    BLANK,
    ROUNDED,
    UNREADABLE,
    ColumnRead,
    cell_word,
    read_each,
)

_SCIENTIFIC = re.compile(r"^\d(?:\.\d+)?e\+?\d+$", re.IGNORECASE)
_FEWEST_DIGITS = 4  # shorter numbers may be two that differ in a zero
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10X98765432"


def read_ids(values: Sequence[object]) -> ColumnRead:
    """Read ids: text with its zeros, whatever Excel made of it.

    Examples
    --------
    >>> read_ids(["'00101", 101.0, "５３９９０１", "5.39905E+11", '="007"', " 1 2 "]).values
    ['00101', '101', '539901', None, '007', '12']
    """

    def read(value: object) -> tuple[str | None, str | None]:
        if isinstance(value, str) and value.isascii() and value.isdecimal():
            return value, None  # nearly all of them
        if value is None or isinstance(value, bool | dt.date):
            return None, BLANK if value is None else UNREADABLE
        if isinstance(value, float) and (abs(value) >= 1e15 or not value.is_integer()):
            return None, ROUNDED if abs(value) >= 1e15 else UNREADABLE
        if isinstance(value, int) and abs(value) >= 10**15:
            # Excel keeps fifteen digits; an integer read with more of them ends in zeros that it made up.
            return (None, ROUNDED) if value % 1000 == 0 else (str(value), None)
        word = re.sub(r"\s+", "", cell_word(value))
        if found := re.fullmatch(r'=?"(.*)"', word):
            word = found[1]
        word = re.sub(r"\.0+$", "", word) if re.fullmatch(r"\d+\.0+", word) else word
        if not word:
            return None, BLANK
        if _SCIENTIFIC.match(word):
            return None, ROUNDED
        if word.startswith(("=", "#", "@")) or not re.search(r"[0-9A-Za-z\u4e00-\u9fff]", word):
            return None, UNREADABLE
        return word, None

    out = read_each(values, read)
    _restore_zeros(values, out)
    return out


def _restore_zeros(values: Sequence[object], read: ColumnRead) -> None:
    """Give numbers the leading zeros that the column's texts have, where all texts have one length."""
    texts = [
        v for raw, v in zip(values, read.values, strict=True) if isinstance(raw, str) and v and v.isdigit()
    ]
    lengths = {len(text) for text in texts}
    if len(lengths) != 1 or not any(text.startswith("0") for text in texts):
        return
    length = lengths.pop()
    for at, (raw, value) in enumerate(zip(values, read.values, strict=True)):
        if isinstance(raw, int | float) and value and value.isdigit() and len(value) < length:
            read.values[at] = value.zfill(length)
            read.notes[at] = "zeros restored"


def level_zeros(
    frames: Sequence[pd.DataFrame], columns: Sequence[str], lists: Collection[int] = ()
) -> dict[int, int]:
    """Give numbers that differ in leading zeros only the longest of their forms; Excel drops such zeros.

    Parameters
    ----------
    frames
        Rows of every sheet and table; changed in place.
    columns
        Those that hold numbers of one kind.
    lists
        Places of the lists of households and members: numbers of which one list holds two forms are two
        numbers, and stay.

    Returns
    -------
    dict
        Place in ``frames`` to how many cells were changed.
    """
    forms: dict[str, set[str]] = {}
    apart: set[str] = set()
    for at, frame in enumerate(frames):
        for name in (n for n in columns if n in frame):
            own: dict[str, str] = {}
            for text in frame[name].dropna().unique():
                if not isinstance(text, str) or not text.isdigit():
                    continue
                bare = text.lstrip("0")
                if own.setdefault(bare, text) != text and at in lists:
                    apart.add(bare)
                forms.setdefault(bare, set()).add(text)
    longest = {
        text: max(found, key=len)
        for bare, found in forms.items()
        if len(found) > 1 and bare not in apart and len(bare) >= _FEWEST_DIGITS
        for text in found
        if len(text) < max(map(len, found))
    }
    changed: dict[int, int] = {}
    for at, frame in enumerate(frames) if longest else ():
        for name in (n for n in columns if n in frame):
            mask = frame[name].isin(list(longest))
            if mask.any():
                frame.loc[mask, name] = frame.loc[mask, name].map(longest)
                changed[at] = changed.get(at, 0) + int(mask.sum())
    return changed


@dataclass(frozen=True)
class PersonNumber:
    """What an identity number says; it is never stored.

    Parameters
    ----------
    key
        The first 18 characters, upper case: the person.
    birth
        ``(year, month)``.
    sex
        ``male`` or ``female``.
    grade
        Disability grade of a disability card's 20 characters.
    """

    key: str
    birth: tuple[int, int]
    sex: str
    grade: int | None = None


def read_person_numbers(values: Sequence[object]) -> ColumnRead:
    """Read identity numbers of 18, and disability cards of 20 or 22 characters; the check digit must hold.

    Source: GB 11643-1999 (MOD 11-2 of ISO 7064).

    Examples
    --------
    >>> read_person_numbers(["11010519491231002x"]).values[0].birth
    (1949, 12)
    >>> read_person_numbers(["110105194912310021", 5.39901e17]).faults
    ['bad id number', 'rounded id']
    """
    ids = read_ids(values)

    def read(value: object) -> tuple[PersonNumber | None, str | None]:
        text = re.sub(r"[^0-9A-Z]", "", str(value).upper())
        if not re.fullmatch(r"\d{17}[\dX](?:\d[1-4](?:[0-9A-Z]{2})?)?", text):
            return None, BAD_CHECK
        remainder = sum(int(d) * w for d, w in zip(text[:17], _ID_WEIGHTS, strict=True)) % 11
        year, month, day = int(text[6:10]), int(text[10:12]), int(text[12:14])
        try:
            dt.date(year, month, day)
        except ValueError:
            return None, BAD_CHECK
        if _ID_CHECKS[remainder] != text[17] or not 1900 <= year <= 2100:
            return None, BAD_CHECK
        grade = int(text[19]) if len(text) >= 20 else None
        return PersonNumber(text[:18], (year, month), "male" if int(text[16]) % 2 else "female", grade), None

    found = read_each(ids.values, read)
    return ColumnRead(
        [None if fault else v for v, fault in zip(found.values, ids.faults, strict=True)],
        [fault or f for f, fault in zip(found.faults, ids.faults, strict=True)],
    )


def person_key(value: object) -> str | None:
    """Return what identifies a person across files; None where there is no valid number."""
    return value.key if isinstance(value, PersonNumber) else None
