"""Step markers: what a step was made from, what it made; a step is done only while both still hold.

A marker is written last, after every file of its step stands whole. A kill at any point therefore leaves
either no marker (the step is done again, its files replaced one by one) or a marker whose files are there.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from riskmodel import __version__
from riskmodel.io import files

FORMAT = 1
FOLDER = "steps"
_BLOCK = 1 << 20
# What `riskmodel.io.files.atomic` writes before a file is whole.
_HALF_MADE = re.compile(r"\.[a-z0-9_]{8}\.(parquet|csv|xlsx|json|html|md)")


def sweep(out: Path) -> list[Path]:
    """Remove what a killed run left half made; a file that stands is never of that name.

    Parameters
    ----------
    out : Path
        The month's folder.

    Returns
    -------
    list of Path
        What was removed.
    """
    found = [p for p in sorted(out.rglob(".*")) if p.is_file() and _HALF_MADE.fullmatch(p.name)]
    for path in found:
        path.unlink(missing_ok=True)
    return found


def digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def data_digest(data: Path) -> str:
    """Return one digest of everything that a county's folder (or file) holds: names and bytes.

    Parameters
    ----------
    data : Path

    Returns
    -------
    str
        64 hexadecimal digits; dates of files do not matter.
    """
    beside = data.parent / "about.yaml"
    inside = sorted(p for p in data.iterdir() if p.is_file()) if data.is_dir() else [data, beside]
    found = hashlib.sha256()
    for path in inside:
        if path.is_file() and not path.name.startswith((".", "~$")):
            found.update(f"{path.name}\n{digest(path)}\n".encode())
    return found.hexdigest()


def key(inputs: Mapping[str, Any]) -> str:
    """Return one digest of what a step is made from, this package's version included.

    Examples
    --------
    >>> key({"a": 1}) == key({"a": 1}), key({"a": 1}) == key({"a": 2})
    (True, False)
    """
    text = json.dumps({"version": __version__, **inputs}, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def read(out: Path, step: str) -> dict[str, Any] | None:
    """Return a step's marker, or None where there is none that this package can read."""
    path = out / FOLDER / f"{step}.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # No marker, or half of one from another program: the step is simply done again.
        return None
    return found if isinstance(found, dict) and found.get("format") == FORMAT else None


def is_done(out: Path, step: str, inputs: Mapping[str, Any]) -> bool:
    """Say whether a step was made from these inputs and all its files are still as it left them."""
    found = read(out, step)
    if found is None or found["made_from"] != key(inputs):
        return False
    return all((out / name).is_file() and digest(out / name) == made for name, made in found["files"].items())


def changed(out: Path, step: str) -> list[str]:
    """Return the files of a step that are no longer as it left them."""
    found = read(out, step)
    made: Mapping[str, str] = found["files"] if found else {}
    return [n for n, own in made.items() if not (out / n).is_file() or digest(out / n) != own]


def write(out: Path, step: str, inputs: Mapping[str, Any], made: Iterable[Path], told: Any) -> None:
    """Write a step's marker.

    Parameters
    ----------
    out : Path
        The month's folder.
    step : str
    inputs : mapping
    made : iterable of Path
        Every file the step wrote, below ``out``.
    told : JSON value
        The step's summary.
    """
    named: Sequence[Path] = sorted(set(made))
    content = {
        "format": FORMAT,
        "step": step,
        "version": __version__,
        "made_from": key(inputs),
        "inputs": dict(inputs),
        "files": {p.relative_to(out).as_posix(): digest(p) for p in named},
        "told": told,
    }
    files.write_json(content, out / FOLDER / f"{step}.json")
