"""The door for files that an office may write into: nothing that an office wrote is ever replaced.

What was written is on record beside it by its digest. Whatever stands at the target and is not byte for byte
that is kept under another name, readable or not.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path

from riskmodel.errors import InputMissing
from riskmodel.io import checkpoints
from riskmodel.io.files import atomic, write_json

RECORD = ".riskmodel.json"
_KEPT: list[list[Path]] = []  # of `collect_backups`, while they run


@contextlib.contextmanager
def office_file(path: str | Path) -> Iterator[Path]:
    """Give a temporary path that becomes the target, as `riskmodel.io.atomic`; what an office wrote is kept.

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
        If the target is open in a spreadsheet, or its folder cannot be written to.
    """
    target = Path(path)
    refuse_open_file(target)
    try:
        with atomic(target) as temporary:
            yield temporary
            digest = checkpoints.file_digest(temporary)
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
    if not target.is_file() or checkpoints.file_digest(target) == _recorded(target.parent).get(target.name):
        return None
    names = (target.with_name(f"{target.stem}-filled-{n}{target.suffix}") for n in count(1))
    kept = target.rename(next(name for name in names if not name.exists()))
    for files in _KEPT:
        files.append(kept)
    return kept


@contextlib.contextmanager
def collect_backups() -> Iterator[list[Path]]:
    """Give a list that fills with every file that was put aside while the body runs."""
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
        if name not in names and (home / name).is_file() and checkpoints.file_digest(home / name) == digest
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
