"""Names and telephones, joined from the office's own file while a list is written, kept nowhere else."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from riskmodel.data import cell_text, find_encoding, normal, open_workbook, pseudonym
from riskmodel.errors import InputRefused

NAME_COLUMNS = ("own_id", "head_name", "contact", "phone")
HEADERS = {
    "household_id": ("household_id", "户编号", "household"),
    "head_name": ("head_name", "name", "户主", "户主姓名", "姓名"),
    "contact": ("contact", "contact_person", "联系人", "帮扶联系人", "帮扶责任人"),
    "phone": ("phone", "telephone", "联系电话", "电话", "手机"),
}
TITLE_LINES = 10


def read_names(path: str | Path) -> pd.DataFrame:
    """Read the office's file of names.

    Parameters
    ----------
    path : str or Path
        ``.csv`` (UTF-8 or GB18030) or ``.xlsx``, with the household's number and any of: name of its head,
        contact person, telephone.

    Returns
    -------
    DataFrame
        ``household_id`` and those of `NAME_COLUMNS` that the file has (``own_id`` only from
        `pseudonymise_names`); one row a household.

    Raises
    ------
    InputRefused
        If it cannot be read, has no such columns, or names a household twice and differently.
    """
    source = Path(path)
    if not source.is_file():
        raise InputRefused(f"{source}: no such file; give the names as .csv or .xlsx")
    if source.suffix.lower() == ".xlsx":
        rows: list[Sequence[object]] = list(open_workbook(source).worksheets[0].iter_rows(values_only=True))
    elif source.suffix.lower() == ".csv":
        rows = list(_csv_rows(source))
    else:
        raise InputRefused(f"{source.name}: give the names as .csv or .xlsx")
    for top, cells in enumerate(rows[:TITLE_LINES]):
        at = _find(cells)
        if "household_id" in at and len(at) > 1:
            return _frame(rows[top + 1 :], at, source.name)
    wanted = "; ".join(f"{name}: {' or '.join(words)}" for name, words in HEADERS.items())
    raise InputRefused(f"{source.name}: no header with the household's number and a name ({wanted})")


def _csv_rows(path: Path) -> Iterable[Sequence[object]]:
    data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    encoding, clean = find_encoding(data, path.name)
    if not clean:
        raise InputRefused(f"{path.name}: holds bytes that are not {encoding}; save it as CSV UTF-8")
    return csv.reader(io.StringIO(data.decode(encoding), newline=""))


def _find(cells: Sequence[object]) -> dict[str, int]:
    known = {normal(word): name for name, words in HEADERS.items() for word in words}
    heads = {i: known[normal(c)] for i, c in enumerate(cells) if isinstance(c, str) and normal(c) in known}
    return {name: i for i, name in reversed(heads.items())}


def _frame(rows: Sequence[Sequence[object]], at: dict[str, int], file: str) -> pd.DataFrame:
    made = {n: [cell_text(r[i]) if i < len(r) else None for r in rows] for n, i in at.items()}
    frame = pd.DataFrame(made, dtype=object).dropna(subset=["household_id"]).drop_duplicates()
    twice = frame["household_id"][frame["household_id"].duplicated()]
    if len(twice):
        raise InputRefused(f"{file}: household {twice.iloc[0]!r} stands there twice and differently")
    return frame.reset_index(drop=True)


def pseudonymise_names(names: pd.DataFrame, key: bytes) -> pd.DataFrame:
    """Return names for a county with keyed ids: the office's own number goes along as a name does.

    Parameters
    ----------
    names : DataFrame
        `read_names`.
    key : bytes
        `riskmodel.data.personal.secret_key`.

    Returns
    -------
    DataFrame
        The same rows, ``household_id`` keyed, ``own_id`` as the office writes it.
    """
    own = names["household_id"]
    return names.assign(own_id=own, household_id=[pseudonym(str(i), key) for i in own])


def join_names(rows: pd.DataFrame, names: pd.DataFrame | None) -> pd.DataFrame:
    """Return rows of a list with names beside them; the same rows where there are none."""
    if names is None or rows.empty:
        return rows
    return rows.merge(names, on="household_id", how="left", validate="m:1")
