"""A list that is filled in is never written over: it is put aside under another name."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from riskmodel.errors import InputRefused
from riskmodel.scoring.worklist.returned.filled import read_filled


def set_aside(path: str | Path) -> Path | None:
    """Rename a workbook that somebody has written findings into, so that a new list can take its place.

    Parameters
    ----------
    path : str or Path
        Where a list is about to be written.

    Returns
    -------
    Path or None
        Its new name, ``…-filled-1.xlsx`` or the next free one; None where there is nothing to keep: no
        file, no list, or a list without an entry.
    """
    source = Path(path)
    if not source.is_file():
        return None
    try:
        found = read_filled(source)
    except InputRefused:
        # Not a list, or no longer one that anything can be read from: nothing was written down in it.
        return None
    if not (found.visits or found.problems):
        return None
    names = (source.with_name(f"{source.stem}-filled-{n}{source.suffix}") for n in count(1))
    kept = next(name for name in names if not name.exists())
    return source.rename(kept)
