"""Texts of compiled queries kept on disk between processes, in a private folder of the user.

A text is kept under everything that decides it: the function and arguments that it was written from, the
columns and kinds of rows of the county (`riskmodel.data.compiled`), and the content of this package's files
with the versions of the libraries that write it. Another version finds none of them, and drops those not used
for long. No row of a county, date, line or score stands in a text. What cannot be read or written is as if it
were not there.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import os
import shutil
import stat
import time
import uuid
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

FOLDER = "RISKMODEL_QUERY_CACHE"  # names the folder; set to nothing, nothing is kept
LIBRARIES = ("ibis-framework", "sqlglot", "duckdb")
_STARTED = time.time()
_KEPT_SECONDS = 30 * 86_400  # of another version's texts since they were last added to


def read_entry(key: str) -> dict[str, Any] | None:
    """Return what was kept under a key, None where there is nothing whole.

    Parameters
    ----------
    key
        A digest of everything but the versions.
    """
    folder = _folder()
    if folder is None:
        return None
    with suppress(OSError, ValueError):
        content = json.loads((folder / f"{key}.json").read_text(encoding="utf-8"))
        return content if isinstance(content, dict) else None
    return None


def write_entry(key: str, content: dict[str, Any]) -> None:
    """Keep something under a key; another process reads the whole of it or nothing.

    Parameters
    ----------
    key
        As `read_entry` takes it.
    content
        What JSON holds.
    """
    folder = _folder()
    if folder is None:
        return
    beside = folder / f"{key}.{uuid.uuid4().hex}"
    with suppress(OSError):
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _drop_unused(folder)
        beside.write_text(json.dumps(content), encoding="utf-8")
        beside.replace(folder / f"{key}.json")


def default_folder() -> Path:
    """Return where texts are kept unless `FOLDER` says otherwise: the user's folder of caches."""
    local = os.environ.get("LOCALAPPDATA") if os.name == "nt" else os.environ.get("XDG_CACHE_HOME")
    return (Path(local) if local else Path.home() / ".cache") / "riskmodel" / "queries"


def _folder() -> Path | None:
    """Return the folder of this version's texts, None where nothing is to be kept."""
    named = os.environ.get(FOLDER)
    top = _private_default() if named is None else Path(named) if named else None
    versions = None if top is None else _versions()
    return None if top is None or versions is None else top / versions


@functools.cache
def _private_default() -> Path | None:
    """Return the default folder if it is this user's alone, as it must be: the engine runs what it holds."""
    with suppress(OSError, RuntimeError):
        top = default_folder()
        top.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = top.stat()
        own = not hasattr(os, "getuid") or found.st_uid == os.getuid()
        if own and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return top
    return None


@functools.cache
def _versions() -> str | None:
    """Return a digest of all that writes texts: this package's files and the libraries' versions.

    None where a file has changed since this process read it: what it writes is not what the file says.
    """
    home, digest = Path(__file__).resolve().parents[1], sha256()
    for path in sorted(path for path in home.rglob("*") if path.suffix in (".py", ".yaml")):
        found = path.stat()
        if max(found.st_mtime, found.st_ctime) > _STARTED:
            return None
        digest.update(f"{path.relative_to(home)}\0".encode() + path.read_bytes() + b"\0")
    digest.update(repr([importlib.metadata.version(name) for name in LIBRARIES]).encode())
    return digest.hexdigest()


def _drop_unused(folder: Path) -> None:
    """Drop the texts of other versions that have not been added to for long."""
    for other in folder.parent.iterdir():
        if other != folder and other.is_dir() and time.time() - other.stat().st_mtime > _KEPT_SECONDS:
            shutil.rmtree(other, ignore_errors=True)
