"""The folder that an import writes to: no file of the office's in it is overwritten or mixed with ours.

An import notes what it wrote, with a digest of each file, in its account (``reading.json``). A later import
into the same folder replaces those files, and only those, and takes away tables that it no longer gives.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from riskmodel.data import contract, table_of
from riskmodel.errors import InputRefused
from riskmodel.io import writable

ACCOUNT = "reading.json"
_WRITTEN = "written"
_BESIDE = ("about.yaml", "reading.xlsx", "problems.csv", "corrections.csv")
_SHOWN = 5


def is_import(folder: Path) -> bool:
    """Say whether a folder holds what an import wrote."""
    return _account(folder) is not None


def _account(folder: Path) -> dict[str, Any] | None:
    try:
        account = json.loads((folder / ACCOUNT).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(account, dict) and {"tables", "sources", "asked", "unknown"} <= set(account)
    return account if whole else None


def refuse_destination(
    folder: Path,
    sources: Sequence[str | Path] = (),
    taken: Iterable[str | Path] = (),
    tables: Collection[str] | None = None,
) -> None:
    """Refuse a folder in which an import would overwrite, or mix with its own, what others put there.

    Parameters
    ----------
    folder
        Where an import is to write.
    sources
        What it reads.
    taken
        Files of the folder whose content is read first, such as a problem list that was filled in.
    tables
        What the import gives; any table but visits, which are taken in beside an import, if None.

    Raises
    ------
    InputRefused
        With the files, and what to do; also if nothing can be written there.
    """
    writable(folder, folder=True)
    target = folder.resolve()
    for source in (Path(one) for one in sources):
        if target == source.resolve() or target in source.resolve().parents:
            raise InputRefused(
                f"{folder}: what is read ({source}) stands in it, and the office's files would be mixed with "
                "the county's tables; give --into another folder"
            )
    read = {Path(one).resolve() for one in taken}
    wanted = set(contract().tables) - {"visits"} if tables is None else set(tables)
    others = [path.name for path in _others(folder, wanted) if path.resolve() not in read]
    if others:
        shown = ", ".join(others[:_SHOWN]) + (", …" if len(others) > _SHOWN else "")
        raise InputRefused(
            f"{folder}: {shown} would be overwritten by, or mixed with, the county's tables, and no import "
            "left it so; move it away, or give --into another folder"
        )


def _others(folder: Path, tables: Collection[str]) -> list[Path]:
    """Return the files that would be overwritten or read as tables and that no import left as they are."""
    if not folder.is_dir():
        return []
    account = _account(folder)
    written = (account or {}).get(_WRITTEN)
    if account is not None and written is None:  # by a release that kept no digests
        written = dict.fromkeys([*(f"{table}.csv" for table in account["tables"]), *_BESIDE])
    out = []
    for path in sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith((".", "~$"))):
        if path.name not in (ACCOUNT, *_BESIDE) and table_of(path.stem) not in tables:
            continue
        if path.name == ACCOUNT and account is not None:
            continue
        digest = (written or {}).get(path.name, "")
        if digest == "" or (digest is not None and digest != _digest(path)):
            out.append(path)
    return out


def note_written(folder: Path, names: Iterable[str], account: dict[str, Any]) -> dict[str, Any]:
    """Return the account of an import with a digest of each file written, and take away outdated tables."""
    now = {name: _digest(folder / name) for name in sorted(names)}
    before = (_account(folder) or {}).get(_WRITTEN) or {}
    for name in before.keys() - now.keys():
        (folder / name).unlink(missing_ok=True)
    return account | {_WRITTEN: now}


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]


def keep_earlier_file(path: Path, text: str) -> Path | None:
    """Keep a file of other content than what is to be written in its place, under a name that is free.

    Returns
    -------
    Path or None
        Where it stands now; None where there was none, or one of the same content.
    """
    if not path.is_file() or path.read_bytes() == text.encode():
        return None
    n = 1
    while (kept := path.with_name(f"{path.stem}.{n}{path.suffix}")).exists():
        n += 1
    path.rename(kept)
    return kept
