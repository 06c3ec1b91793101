"""Checkpoints: what a step was made from and what it made; a step is done only while both still hold.

A checkpoint is written last, after every file of its step stands whole. A kill at any point therefore leaves
either no checkpoint (the step is done again, its files replaced one by one) or one whose files are there.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from riskmodel.io.files import file_digest, write_json
from riskmodel.version import __version__

FORMAT = 1
FOLDER = "steps"
# What `riskmodel.io.files.atomic` writes before a file is whole.
_PARTIAL = re.compile(r"\.[a-z0-9_]{8}\.(parquet|csv|xlsx|json|html|md)")


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one folder.

    Attributes
    ----------
    root
        The folder that the steps write into.
    folder
        Where in it the checkpoints stand, one JSON file a step.
    """

    root: Path
    folder: str = FOLDER

    def path(self, step: str) -> Path:
        """Return the file of a step's checkpoint."""
        return self.root / self.folder / f"{step}.json"

    def read(self, step: str) -> dict[str, Any] | None:
        """Return a step's checkpoint, or None where there is none that this package can read."""
        try:
            found = json.loads(self.path(step).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            # No checkpoint, or half of one from another program: the step is simply done again.
            return None
        return found if isinstance(found, dict) and found.get("format") == FORMAT else None

    def result(self, step: str) -> Any:
        """Return what a step reported of itself, or None where there is no checkpoint."""
        found = self.read(step)
        return found["told"] if found else None

    def changed_files(self, step: str) -> list[str]:
        """Return the files of a step that are no longer as it left them."""
        found = self.read(step)
        digests: Mapping[str, str] = found["files"] if found else {}
        paths = {name: self.root / name for name in digests}
        return [n for n, p in paths.items() if not p.is_file() or file_digest(p) != digests[n]]

    def is_done(self, step: str, inputs: Mapping[str, Any]) -> bool:
        """Say whether a step was made from these inputs and all its files are still as it left them."""
        found = self.read(step)
        return bool(found and found["made_from"] == inputs_digest(inputs) and not self.changed_files(step))

    def write(self, step: str, inputs: Mapping[str, Any], made: Iterable[Path], result: Any) -> None:
        """Write a step's checkpoint.

        Parameters
        ----------
        step
            Its name.
        inputs
            All that its files follow from, in plain values.
        made
            Every file the step wrote, below the root.
        result
            What it reports of itself, as JSON can hold it.
        """
        content = {
            "format": FORMAT,
            "step": step,
            "version": __version__,
            "made_from": inputs_digest(inputs),
            "inputs": dict(inputs),
            "files": {p.relative_to(self.root).as_posix(): file_digest(p) for p in sorted(set(made))},
            "told": result,
        }
        write_json(content, self.path(step))

    def remove_stale_files(self, step: str, made: Iterable[Path]) -> list[Path]:
        """Remove what a step left when it was done before and does not make now, and return it.

        A file that was changed since is the office's own, and stays.
        """
        before, changed = self.read(step), set(self.changed_files(step))
        kept = {path.relative_to(self.root).as_posix() for path in made} | changed
        stale = [self.root / name for name in (before["files"] if before else ()) if name not in kept]
        for path in stale:
            path.unlink(missing_ok=True)
        return stale

    def remove_partial_files(self) -> list[Path]:
        """Remove what a killed run left half made, and return it; no whole file has such a name."""
        found = [p for p in sorted(self.root.rglob(".*")) if p.is_file() and _PARTIAL.fullmatch(p.name)]
        for path in found:
            path.unlink(missing_ok=True)
        return found


def folder_digest(data: Path) -> str:
    """Return one digest of everything that a county's folder (or file) holds: names and bytes, no dates."""
    beside = data.parent / "about.yaml"
    inside = sorted(p for p in data.iterdir() if p.is_file()) if data.is_dir() else [data, beside]
    found = hashlib.sha256()
    for path in inside:
        if path.is_file() and not path.name.startswith((".", "~$")):
            found.update(f"{path.name}\n{file_digest(path)}\n".encode())
    return found.hexdigest()


def inputs_digest(inputs: Mapping[str, Any]) -> str:
    """Return one digest of what a step is made from, this package's version included.

    Examples
    --------
    >>> inputs_digest({"a": 1}) == inputs_digest({"a": 1}), inputs_digest({"a": 1}) == inputs_digest({"a": 2})
    (True, False)
    """
    text = json.dumps({"version": __version__, **inputs}, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
