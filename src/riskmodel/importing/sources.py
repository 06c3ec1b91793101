"""The files that an office hands over, as sheets with their layouts: each once, whatever it is called."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from riskmodel.errors import InputMissing, InputRefused
from riskmodel.grids import Grid, Skipped, read_file
from riskmodel.i18n import Message
from riskmodel.importing.blocks import tables_in
from riskmodel.importing.destination import ACCOUNT, is_import
from riskmodel.importing.forms import merge_forms
from riskmodel.importing.sheet_layout import SheetLayout, find_layout
from riskmodel.importing.vocabulary import Vocabulary, vocabulary
from riskmodel.io import entries_within, first_line


@dataclass(frozen=True)
class Sheets:
    """Everything that an office handed over, read but not yet understood."""

    grids: tuple[tuple[Grid, SheetLayout], ...]
    skipped: tuple[Skipped, ...]


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
    if not _exists(path):
        raise InputMissing(f"{path}: no such file or folder; give what the office handed over")
    if path.is_file():
        return _read(path, path.name)
    if is_import(path):
        raise InputRefused(
            f"{path}: holds the tables of an import ({ACCOUNT}); give the folder of the office's own files"
        )
    grids: list[Grid] = []
    skipped: list[Skipped] = []
    for file in _files(path):
        name = file.relative_to(path).as_posix()
        if file.is_dir():
            why = "importing.why.import" if is_import(file) else "grids.skipped.deep folder"
            skipped.append(Skipped(name, "", Message(why, {"file": name})))
            continue
        more, without = _read(file, name)
        grids += more
        skipped += without
    return grids, skipped


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and of its folders, and the folders that are not opened.

    Those are folders of folders, and what an import wrote.
    """
    for path in entries_within(folder):
        if _of_the_system(path):
            continue
        if path.is_dir() and not is_import(path):
            yield from (inner for inner in entries_within(path, folder) if not _of_the_system(inner))
        else:
            yield path


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name longer than any file has
        return False


def _of_the_system(path: Path) -> bool:
    return path.name.startswith(".") or path.name.lower() in ("thumbs.db", "desktop.ini", "__macosx")


def _read(path: Path, name: str) -> tuple[list[Grid], list[Skipped]]:
    try:
        return read_file(path, name)
    except OSError as exc:
        values = {"file": name, "why": first_line(exc)}
        return [], [Skipped(name, "", Message("grids.skipped.broken", values))]


def read_sheets(sources: Sequence[str | Path], words: Vocabulary | None = None) -> Sheets:
    """Read every sheet of some files or folders, and find how each is laid out.

    Parameters
    ----------
    sources
        Files or folders.
    words
        The vocabulary; the packaged one where left out.
    """
    known = words or vocabulary()
    grids: list[tuple[Grid, SheetLayout]] = []
    skipped: list[Skipped] = []
    for found, without in _each_source(sources):
        pieces = (one for grid in merge_forms(found, known) for one in tables_in(grid, known))
        grids += [(one, find_layout(one, known)) for one in pieces]
        skipped += without
    # By name, so that nothing depends on the order in which the sources are given.
    grids.sort(key=lambda one: one[0].file)
    originals, copies = _without_copies(grids)
    return Sheets(tuple(originals), (*sorted(skipped, key=lambda one: one.file), *copies))


def _each_source(sources: Sequence[str | Path]) -> Iterator[tuple[list[Grid], list[Skipped]]]:
    """Read each source once; equal names of files of two sources begin with their folders' names."""
    paths = list({Path(one).resolve(): Path(one) for one in sources}.values())
    read = [read_grids(path) for path in paths]
    names = [{g.file for g in grids} | {s.file for s in skipped} for grids, skipped in read]
    counts = Counter(name for own in names for name in own)
    for path, (grids, skipped) in zip(paths, read, strict=True):
        folder = path.resolve() if path.is_dir() else path.resolve().parent
        renamed = {n: f"{folder.name}/{n}" for n, times in counts.items() if times > 1}
        yield (
            [replace(g, file=renamed[g.file]) if g.file in renamed else g for g in grids],
            [replace(s, file=renamed[s.file]) if s.file in renamed else s for s in skipped],
        )


# What a copy of a file has in its name that the file has not.
_COPY = re.compile(r"副本|复件|复制|备份|copy|bak|[\d\W_]+")
# What tells a file from the next of its kind that may hold the same: 1月 and 2月, 上半年 and 下半年.
_NUMERALS = re.compile(r"\d+|[一二三四五六七八九十上下]+(?=[月季半年期批次组村社])")


def _without_copies(
    grids: Sequence[tuple[Grid, SheetLayout]],
) -> tuple[list[tuple[Grid, SheetLayout]], list[Skipped]]:
    """Leave out sheets that a second file holds as well.

    Its name differs in 副本, (1) or a date only; or it is another name of the same numerals, and titles and
    names say the same of both: a file that was sent twice under two names.
    """
    known: dict[object, list[Grid]] = {}
    originals: list[tuple[Grid, SheetLayout]] = []
    copies: list[Skipped] = []
    for grid, layout in grids:
        stem, facts = Path(grid.file).stem.lower(), layout.facts
        size = grid.sheet, facts.year, facts.months, len(grid.rows), grid.width
        keys = (_COPY.sub("", stem), *size), (tuple(_NUMERALS.findall(stem)), facts.township, *size)
        same = next((one for key in keys for one in known.get(key, ()) if one.rows == grid.rows), None)
        if same is None or not layout.data_rows:
            for key in keys:
                known.setdefault(key, []).append(grid)
            originals.append((grid, layout))
        else:
            why = Message("importing.why.copy", {"file": same.file})
            copies.append(Skipped(grid.file, grid.sheet, why))
    return originals, copies
