"""The county's table of visits as it stands in its file: what it holds already, and how it is written to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis

from riskmodel.data import Raw, Source, cell_text, contract, find_sources, open_raw, parse_date
from riskmodel.scoring.worklist.returned.filled import Visit, plain
from riskmodel.scoring.worklist.returned.headers import words_of

TABLE = "visits"
COLUMNS = ("household_id", "date", "outcome", "cause", "selected_by", "decision", "chance", "recorded_on")
_RECORDED_ZH = "录入日期"


@dataclass(frozen=True)
class Target:
    """Where visits are to be written.

    Parameters
    ----------
    path : Path
        The file; not there yet where the county has no visits.
    kind : str
        ``parquet``, ``csv``, ``xlsx`` or ``duckdb``.
    inside : str or None
        Sheet or table in the file.
    headers : tuple of str
        As they stand; empty where there is no table yet.
    at : mapping
        Column of the contract to its position in ``headers``.
    chinese : bool
        Headers and words are Chinese.
    seen : tuple of int or None
        Size and time of the file when it was read; None where there is none.
    """

    path: Path
    kind: str
    inside: str | None
    headers: tuple[str, ...]
    at: dict[str, int]
    chinese: bool
    seen: tuple[int, int] | None = None

    def header(self, column: str) -> str:
        """Return what a column that is not there yet is to be called."""
        if not self.chinese:
            return column
        return _RECORDED_ZH if column == "recorded_on" else contract().tables[TABLE].columns[column].zh

    def cell(self, column: str, visit: Visit, recorded_on: dt.date) -> Any:
        """Return one value as it is written: codes in the file's own language, None where nothing is said."""
        value = recorded_on if column == "recorded_on" else getattr(visit, column)
        words = contract().tables[TABLE].columns
        if self.chinese and column in words and isinstance(value, str) and column != "household_id":
            spec = words[column]
            known = spec.codes or contract().tables["risk_events"].columns["cause"].codes
            return known[value]
        return value

    def added(self, visits: Sequence[Visit]) -> list[str]:
        """Return the columns that the table lacks and these visits fill."""
        needed = [c for c in COLUMNS if c == "recorded_on" or any(getattr(v, c) is not None for v in visits)]
        return [c for c in needed if c not in self.at]


@dataclass(frozen=True)
class Held:
    """What a county holds already.

    Parameters
    ----------
    target : Target
    households : frozenset of str
    visits : dict
        ``(household_id, date)`` to what is written of that day: ``(outcome, cause)`` pairs.
    """

    target: Target
    households: frozenset[str]
    visits: dict[tuple[str, dt.date], set[tuple[str | None, str | None]]]


def held(data: str | Path) -> Held:
    """Read a county's household ids and visits as they stand; nothing else of it is read.

    Parameters
    ----------
    data : str or Path

    Returns
    -------
    Held

    Raises
    ------
    InputRefused
        If the county has no readable table of households.
    """
    folder = Path(data)
    sources, _ = find_sources(folder)
    by_table = {s.table: s for s in sources}
    con = ibis.duckdb.connect()
    households, _ = open_raw(con, by_table["households"])
    ids = frozenset(_texts(households, "household_id")) if households else frozenset()
    source = by_table.get(TABLE)
    raw = open_raw(con, source)[0] if source else None
    visits: dict[tuple[str, dt.date], set[tuple[str | None, str | None]]] = {}
    if raw is not None:
        columns = [_texts(raw, c) for c in ("household_id", "date", "outcome", "cause")]
        for household, day, outcome, cause in zip(*columns, strict=True):
            date = parse_date(day)[0]
            if household is not None and date is not None:
                said = (_code("outcome", outcome), _code("cause", cause))
                visits.setdefault((household, date), set()).add(said)
    return Held(_target(folder, by_table, raw, households), ids, visits)


def _texts(raw: Raw, column: str) -> list[Any]:
    rows = raw.rows.order_by("row_").to_pyarrow()
    if column not in raw.at:
        return [None] * rows.num_rows
    texts = [cell_text(v) for v in rows[raw.at[column]].to_pylist()]
    return [plain(t) if t and column == "household_id" else t for t in texts]


def _code(column: str, word: str | None) -> str | None:
    return None if word is None else words_of(column).get(word.lower(), word)


def _target(folder: Path, sources: dict[str, Source], raw: Raw | None, households: Raw | None) -> Target:
    source = sources.get(TABLE)
    chinese = _is_chinese(raw or households)
    if source is not None:
        inside = source.inside if isinstance(source.inside, str) else getattr(source.inside, "title", None)
        headers = tuple(raw.headers.values()) if raw else ()
        at = {c: int(cell[1:]) for c, cell in raw.at.items()} if raw else {}
        return Target(source.path, source.kind, inside, headers, at, chinese, stamp(source.path))
    model = sources["households"]
    inside = (contract().tables[TABLE].zh if chinese else TABLE) if model.kind in ("xlsx", "duckdb") else None
    path = model.path
    if model.path.parent == folder and model.kind in ("csv", "parquet", "xlsx"):
        path = folder / f"{contract().tables[TABLE].zh if chinese else TABLE}.{model.kind}"
    if model.kind == "duckdb":
        inside = TABLE
    return Target(path, model.kind, inside, (), {}, chinese, stamp(path))


def stamp(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from a changed one: size and time; None where there is none."""
    if not path.is_file():
        return None
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _is_chinese(raw: Raw | None) -> bool:
    return raw is not None and not raw.headers[raw.at["household_id"]].isascii()
