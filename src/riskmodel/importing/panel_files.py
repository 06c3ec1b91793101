"""Files of panels as frames with the words of their codes: text, Parquet, workbooks, Stata, SPSS."""

from __future__ import annotations

import gzip
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.errors import InputMissing, InputRefused, UsageError, did_you_mean
from riskmodel.grids import find_encoding, read_file
from riskmodel.importing.panel_map import DataSource
from riskmodel.io import first_line

TEXT_FILES = (".csv", ".txt", ".tsv", ".gz")


@dataclass(frozen=True)
class PanelFile:
    """A file's rows, and what its codes mean.

    Parameters
    ----------
    name
        Of the file, for messages.
    rows
        As they stand; ids are text.
    words
        Column to the words of its codes (value labels).
    first_row
        The number that a person gives the first row of data.
    """

    name: str
    rows: pd.DataFrame
    words: Mapping[str, Mapping[Any, str]] = field(default_factory=dict)
    first_row: int = 2


def read_panel_file(path: str | Path, ids: Sequence[str] = (), sheet: str | None = None) -> PanelFile:
    """Read a panel's file by what its name ends with.

    Parameters
    ----------
    path
        ``.csv``, ``.tsv``, ``.txt`` (also ``.gz``), ``.parquet``, ``.dta``, ``.sav``, ``.zsav``, or a
        workbook.
    ids
        Columns that are read as text, so that zeros in front stay.
    sheet
        Of a workbook; its first where left out.

    Returns
    -------
    PanelFile
        Rows and words.

    Raises
    ------
    InputMissing
        If there is no such file.
    InputRefused
        If it cannot be read.
    UsageError
        If a library is missing.
    """
    file = Path(path)
    if not file.is_file():
        raise InputMissing(f"{file}: cannot be read: no such file")
    readers: dict[str, Callable[[], PanelFile]] = {
        ".parquet": lambda: PanelFile(file.name, pd.read_parquet(file), first_row=1),
        ".dta": lambda: _read_stata(file),
        ".sav": lambda: _read_spss(file),
        ".zsav": lambda: _read_spss(file),
    }
    if file.suffix.lower() in TEXT_FILES:
        readers[file.suffix.lower()] = lambda: _read_text(file, ids)
    try:
        return readers.get(file.suffix.lower(), lambda: _read_workbook(file, sheet))()
    except (OSError, ValueError, UnicodeError) as exc:
        raise InputRefused(f"{file}: cannot be read: {first_line(exc)}") from exc


def read_package_data(source: DataSource) -> PanelFile:
    """Load a panel that comes with a package.

    Parameters
    ----------
    source
        The package and the data set's name in it.

    Returns
    -------
    PanelFile
        Rows, without words.

    Raises
    ------
    UsageError
        If the package is not installed.
    """
    try:
        package = importlib.import_module(source.package)
    except ImportError as exc:
        raise UsageError(f"the panel comes with a package: pip install 'riskmodel[{source.extra}]'") from exc
    return PanelFile(f"{source.package}:{source.dataset}", package.data(source.dataset), first_row=1)


def _read_text(file: Path, ids: Sequence[str]) -> PanelFile:
    data = gzip.decompress(file.read_bytes()) if file.suffix.lower() == ".gz" else file.read_bytes()
    encoding, _ = find_encoding(data, file.name)
    encoding = "utf-8-sig" if encoding == "utf-8" else encoding
    first = data[:100_000].decode(encoding, errors="replace").splitlines()[:1]
    if not first:
        raise InputRefused(f"{file}: is empty")
    delimiter = max((",", "\t", ";", "|"), key=first[0].count)
    rows = pd.read_csv(
        file, encoding=encoding, sep=delimiter, dtype=dict.fromkeys(ids, str), low_memory=False,
        keep_default_na=True,
    )  # fmt: skip
    return PanelFile(file.name, rows)


def _read_workbook(file: Path, sheet: str | None) -> PanelFile:
    grids, skipped = read_file(file)
    chosen = [g for g in grids if sheet is None or g.sheet == sheet]
    if not chosen:
        if grids:
            names = [g.sheet for g in grids]
            raise InputRefused(
                f"{file}: no sheet {sheet!r}; there are: {', '.join(names)}{did_you_mean(str(sheet), names)}"
            )
        why = "; ".join(s.why.text("en") for s in skipped) or "no table in it"
        raise InputRefused(f"{file}: cannot be read: {why}")
    grid = chosen[0]
    if not grid.rows:
        raise InputRefused(f"{file}: sheet {grid.sheet!r} is empty")
    header = [
        str(cell).strip() if cell is not None else f"column {i + 1}" for i, cell in enumerate(grid.rows[0])
    ]
    rows = pd.DataFrame(grid.rows[1:], columns=header).infer_objects()
    return PanelFile(file.name, rows)


def _read_stata(file: Path) -> PanelFile:
    rows = pd.read_stata(file, convert_categoricals=False)
    words: dict[str, dict[Any, str]] = {}
    try:
        labelled = pd.read_stata(file, convert_categoricals=True)
    except ValueError:  # two codes of one word: the codes stand alone
        labelled = rows
    for column in rows:
        if isinstance(labelled[column].dtype, pd.CategoricalDtype):
            pairs = pd.DataFrame({"code": rows[column], "word": labelled[column].astype(object)})
            pairs = pairs.drop_duplicates().dropna()
            words[str(column)] = {
                code: word for code, word in zip(pairs["code"], pairs["word"], strict=True) if code != word
            }
    return PanelFile(file.name, rows, {c: w for c, w in words.items() if w}, first_row=1)


def _read_spss(file: Path) -> PanelFile:
    try:
        import pyreadstat
    except ImportError as exc:
        raise UsageError(
            f"{file.name}: SPSS files are read by pyreadstat: pip install 'riskmodel[survey]', or save the "
            "file as CSV or Stata"
        ) from exc
    try:
        rows, meta = pyreadstat.read_sav(str(file))
    except pyreadstat.ReadstatError as exc:
        raise InputRefused(f"{file}: cannot be read as SPSS: {first_line(exc)}") from exc
    return PanelFile(file.name, rows, meta.variable_value_labels, first_row=1)
