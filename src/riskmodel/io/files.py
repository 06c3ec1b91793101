"""Writing results: atomic, the same bytes for the same content, safe to open in a spreadsheet.

A file that an office may write into goes through `office_file`: what was written is on record beside it by
its digest, and whatever stands at the target and is not byte for byte that is kept under another name.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from riskmodel.errors import InputMissing, UsageError
from riskmodel.io.workbook import write_frame

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = (".parquet", ".csv", ".xlsx")
# A spreadsheet takes a text cell that begins with one of these for a formula.
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n")
_BLOCK = 1 << 20  # bytes of a file that are digested at a time
_WRITTEN: list[set[Path]] = []  # of `written_files`, while they run


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside the target that becomes the target when the body ends well.

    Parameters
    ----------
    path
        The target; its folder is made if it is not there.

    Yields
    ------
    Path
        Where to write.

    Raises
    ------
    InputMissing
        If the folder cannot be written to, or another program has the target open (on Windows).
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".", suffix=target.suffix, dir=target.parent)
    except OSError as exc:
        raise InputMissing(f"{target}: cannot be written: {exc.strerror or exc}") from exc
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        try:
            temporary.replace(target)
        except PermissionError as exc:  # Windows: a file that a program has open cannot be replaced
            raise InputMissing(f"{target}: is open in another program (Excel): close it there first") from exc
        for written in _WRITTEN:
            written.add(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def written_files() -> Iterator[set[Path]]:
    """Give a set that fills with every file that `atomic` puts in place while the body runs."""
    written: set[Path] = set()
    _WRITTEN.append(written)
    try:
        yield written
    finally:
        _WRITTEN.remove(written)


def write_table(frame: pd.DataFrame, path: str | Path, sheet: str = "data") -> Path:
    """Write a frame as Parquet, CSV or XLSX by the path's ending.

    Parameters
    ----------
    frame
        Its index is not written.
    path
        Ending ``.parquet``, ``.csv`` (UTF-8 with BOM, which Excel opens rightly) or ``.xlsx`` (by
        `office_file`: an office may write into it).
    sheet
        Sheet name in a workbook.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    UsageError
        If the ending is another one.
    InputMissing
        If the folder cannot be written to.
    """
    target = Path(path)
    writers = {".parquet": _parquet, ".csv": _csv, ".xlsx": write_frame}
    if target.suffix.lower() not in writers:
        raise UsageError(f"{target}: write to a name that ends in {', '.join(ENDINGS)}")
    ending = target.suffix.lower()
    with (office_file if ending == ".xlsx" else atomic)(target) as temporary:
        writers[ending](frame, temporary, sheet)
    return target


def read_table(path: str | Path) -> pd.DataFrame:
    """Read what `write_table` wrote.

    Parameters
    ----------
    path
        A ``.parquet``, ``.csv`` or ``.xlsx`` file.

    Returns
    -------
    DataFrame
        ``household_id`` is text in every format.

    Raises
    ------
    UsageError
        If the file is of another ending.
    InputMissing
        If it is missing or unreadable.
    """
    import pandas as pd

    source = Path(path)
    text = {"household_id": str, "village": str, "township": str, "model_version": str}
    readers: dict[str, Any] = {
        ".parquet": pd.read_parquet,
        ".csv": lambda p: pd.read_csv(p, dtype=text, encoding="utf-8-sig"),
        ".xlsx": lambda p: pd.read_excel(p, dtype=text, engine="openpyxl"),
    }
    if source.suffix.lower() not in readers:
        raise UsageError(f"{source}: read a file that ends in {', '.join(ENDINGS)}")
    if not source.is_file():
        raise InputMissing(f"{source}: no such file")
    try:
        return readers[source.suffix.lower()](source)
    except (OSError, ValueError, zipfile.BadZipFile) as exc:
        kind = source.suffix.lower().removeprefix(".")
        raise InputMissing(f"{source}: cannot be read as {kind}: {first_line(exc)}") from exc


def first_line(error: Exception) -> str:
    r"""Return the first line of a library's message: what follows is its query, carets and advice.

    Examples
    --------
    >>> first_line(ValueError("no magic bytes\n\nLINE 1: DESCRIBE SELECT"))
    'no magic bytes'
    """
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def writable(path: str | Path, *, folder: bool = False, endings: tuple[str, ...] = ENDINGS) -> None:
    """Refuse an output that could not be written, before any work is done for it.

    Parameters
    ----------
    path
        A file, whose ending says its format, or a folder; its parents are made later.
    folder
        Whether it is a folder.
    endings
        What a file's name may end in.

    Raises
    ------
    UsageError
        If the file's ending is none of these.
    InputMissing
        If it, or a folder above it, is in the way or cannot be written to.
    """
    target = Path(path)
    if not folder and target.suffix.lower() not in endings:
        raise UsageError(f"{target}: write to a name that ends in {', '.join(endings)}")
    try:
        target.exists()
    except OSError as exc:  # a name longer than any file has
        raise InputMissing(f"{target}: cannot be written: {exc.strerror or exc}") from exc
    if target.exists() and target.is_dir() != folder:
        raise InputMissing(f"{target}: cannot be written: it is a {'file' if folder else 'folder'}")
    there = next(p for p in (target, *target.absolute().parents) if p.exists() and (p != target or folder))
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        why = "no permission" if there.is_dir() else "it is no folder"
        raise InputMissing(f"{target}: cannot be written: {there}: {why}")


def write_csv(frame: pd.DataFrame, path: str | Path) -> Path:
    """Write a frame as CSV (UTF-8 with BOM) with its cells as they are; raises as `atomic`.

    For copies of what an office wrote; `write_table` makes cells safe for a spreadsheet.
    """
    with atomic(path) as temporary:
        _to_csv(frame, temporary)
    return Path(path)


def write_text(text: str, path: str | Path) -> Path:
    """Write UTF-8 text; raises as `atomic`."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    return Path(path)


def write_json(content: Any, path: str | Path) -> Path:
    """Write JSON with readable Chinese; raises as `atomic`."""
    return write_text(json.dumps(content, ensure_ascii=False, indent=2, default=str) + "\n", path)


def _parquet(frame: pd.DataFrame, path: Path, sheet: str) -> None:
    frame.to_parquet(path, index=False)


def _csv(frame: pd.DataFrame, path: Path, sheet: str) -> None:
    safe = frame.copy(deep=False)
    for column in safe.select_dtypes(include=["object", "str"]):
        if not _is_safe(safe[column].tolist()):
            safe[column] = safe[column].map(_neutral)
    _to_csv(safe, path)


def _to_csv(frame: pd.DataFrame, path: Path) -> None:
    frame.to_csv(path, index=False, encoding="utf-8-sig", lineterminator="\n")


def safe_text(text: str) -> str:
    """Return text that no spreadsheet takes for a formula: an apostrophe goes in front where it could.

    Examples
    --------
    >>> safe_text("=1+1"), safe_text("东乡")
    ("'=1+1", '东乡')
    """
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text


def _is_safe(values: Any) -> bool:
    """Say whether values are texts alone, none of which is taken for a formula."""
    if not set(map(type, values)) <= {str, type(None)}:
        return False
    return not any(value and value.startswith(FORMULA_SIGNS) for value in set(values))


def _neutral(value: Any) -> Any:
    return safe_text(value) if isinstance(value, str) else value


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table, each by its column names.

    Values are those of ``DataFrame.to_dict("records")``, several times as fast where columns are text.
    """
    names = [str(name) for name in frame.columns]
    columns = [column_values(frame.iloc[:, j]) for j in range(len(names))]
    if not columns:
        return [{} for _ in range(len(frame))]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def column_values(column: pd.Series) -> list[Any]:
    """Return a column's values as Python has them; where pandas has its own word for missing, None.

    Parameters
    ----------
    column
        Of any type: text comes from Arrow by whole columns, not cell by cell.
    """
    import numpy as np
    import pandas as pd

    if column.dtype == "str":
        return list(column.to_numpy(dtype=object))
    if isinstance(column.dtype, np.dtype) and column.dtype != object:
        return list(column.tolist())
    boxed = (v.item() if isinstance(v, np.number | np.bool_) else v for v in column.array)
    return [None if v is pd.NA else v for v in boxed]


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes (64 hexadecimal digits)."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


RECORD = ".riskmodel.json"
_KEPT: list[list[Path]] = []  # of `collect_backups`, while they run


@contextlib.contextmanager
def office_file(path: str | Path) -> Iterator[Path]:
    """Give a temporary path as `atomic`, of a file that an office may write into: what it wrote is kept.

    Parameters
    ----------
    path
        The target.

    Yields
    ------
    Path
        Where to write.

    Raises
    ------
    InputMissing
        As `atomic`, and if the target is open in a spreadsheet.
    """
    target = Path(path)
    refuse_open_file(target)
    try:
        with atomic(target) as temporary:
            yield temporary
            digest = file_digest(temporary)
            keep_office_file(target)
        _record(target.parent, {target.name: digest})
    except PermissionError as exc:
        raise InputMissing(f"{target}: close {target.name} in Excel first, then try again") from exc


def keep_office_file(path: str | Path) -> Path | None:
    """Rename a file that is not byte for byte what was written here, before another takes its place.

    Parameters
    ----------
    path
        Where a file is about to be written.

    Returns
    -------
    Path or None
        Its new name, ``…-filled-1.xlsx`` or the next free one; None where there is nothing to keep.
    """
    target = Path(path)
    if not target.is_file() or file_digest(target) == _recorded(target.parent).get(target.name):
        return None
    names = (target.with_name(f"{target.stem}-filled-{n}{target.suffix}") for n in count(1))
    kept = target.rename(next(name for name in names if not name.exists()))
    if _KEPT:
        _KEPT[-1].append(kept)
    return kept


@contextlib.contextmanager
def collect_backups() -> Iterator[list[Path]]:
    """Give a list that fills with every file put aside while the body runs; of two, the inner one."""
    kept: list[Path] = []
    _KEPT.append(kept)
    try:
        yield kept
    finally:
        # By identity: two empty lists are equal.
        _KEPT[:] = [files for files in _KEPT if files is not kept]


def remove_stale_office_files(folder: str | Path, written: Iterable[Path]) -> list[Path]:
    """Remove what was written into a folder before and is not written now, and return it.

    What an office wrote stays, as does a file that was never recorded.
    """
    home, names = Path(folder), {path.name for path in written}
    stale = [
        home / name
        for name, digest in _recorded(home).items()
        if name not in names and (home / name).is_file() and file_digest(home / name) == digest
    ]
    for path in stale:
        path.unlink()
    return stale


def refuse_open_file(path: str | Path) -> None:
    """Refuse a target that is open in a spreadsheet: found out after the work, it would cost all of it.

    Raises
    ------
    InputMissing
        If the lock file of Excel (``~$name``) or LibreOffice (``.~lock.name#``) stands beside it.
    """
    target = Path(path)
    for lock in (target.with_name(f"~${target.name}"), target.with_name(f".~lock.{target.name}#")):
        if lock.exists():
            raise InputMissing(
                f"{target}: close {target.name} in Excel first, then try again; "
                f"if nobody has it open, delete {lock}"
            )


def refuse_open_files(folder: str | Path) -> None:
    """Refuse a folder in which a workbook is open in a spreadsheet; raises as `refuse_open_file`."""
    home = Path(folder)
    for path in sorted(home.rglob("*.xlsx")) if home.is_dir() else ():
        if not path.name.startswith(("~$", ".")):
            refuse_open_file(path)


def _recorded(folder: Path) -> dict[str, str]:
    try:
        found = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # No record, or a spoilt one: what stands there is then kept as the office's.
        return {}
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _record(folder: Path, digests: dict[str, str]) -> None:
    known = {name: digest for name, digest in _recorded(folder).items() if (folder / name).is_file()}
    write_json(dict(sorted({**known, **digests}.items())), folder / RECORD)
