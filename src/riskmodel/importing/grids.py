"""The grids of everything that an office hands over: one file, or a folder of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from riskmodel.errors import InputMissing
from riskmodel.grids import CellError, Grid, Skipped, read_file
from riskmodel.i18n import Message
from riskmodel.io import first_line

__all__ = ["CellError", "Grid", "Skipped", "read_grids"]


def read_grids(source: str | Path) -> tuple[list[Grid], list[Skipped]]:
    """Read every table of a file, or of the files in a folder and in its folders.

    Parameters
    ----------
    source
        A file of any kind, or a folder.

    Returns
    -------
    grids : list of Grid
        By file, in the order of each; those of hidden sheets too.
    skipped : list of Skipped
        Every file and sheet that gave no grid, and why. Files of the operating system (``.DS_Store``,
        ``Thumbs.db``) are not named.

    Raises
    ------
    InputMissing
        If there is nothing of that name.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "note.docx").write_bytes(b"PK")
    ...     read_grids(folder)[1][0].file
    'note.docx'
    """
    path = Path(source)
    if not path.exists():
        raise InputMissing(f"{path}: no such file or folder; give what the office handed over")
    if path.is_file():
        return _read(path, path.name)
    grids: list[Grid] = []
    skipped: list[Skipped] = []
    for file in _files(path):
        name = file.relative_to(path).as_posix()
        if file.is_dir():
            skipped.append(Skipped(name, "", Message("grids.skipped.deep folder", {"file": name})))
            continue
        more, without = _read(file, name)
        grids += more
        skipped += without
    return grids, skipped


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and of its folders, and the folders below those, which are not opened."""
    for path in sorted(folder.iterdir()):
        if _of_the_system(path):
            continue
        if path.is_dir():
            yield from (inner for inner in sorted(path.iterdir()) if not _of_the_system(inner))
        else:
            yield path


def _of_the_system(path: Path) -> bool:
    return path.name.startswith(".") or path.name.lower() in ("thumbs.db", "desktop.ini", "__macosx")


def _read(path: Path, name: str) -> tuple[list[Grid], list[Skipped]]:
    try:
        return read_file(path, name)
    except OSError as exc:
        values = {"file": name, "why": first_line(exc)}
        return [], [Skipped(name, "", Message("grids.skipped.broken", values))]
