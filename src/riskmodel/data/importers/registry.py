"""The registry of importers: what each must offer, and how any of them writes a folder of the contract."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from riskmodel.errors import UsageError
from riskmodel.io import files

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Importer:
    """One panel from elsewhere that can be brought into the contract's tables.

    Parameters
    ----------
    title
        What the panel is, as ``riskmodel import --help`` goes on after "Import".
    read
        From the panel's file (or None) to its own frame, checked; raises `InputRefused` or `UsageError`.
    tables
        From that frame to the tables of the contract.
    about
        What ``about.yaml`` says: how incomes are meant, where the data come from, on what terms.
    file
        What file the user must give; None where the data come with a package.
    """

    title: str
    read: Callable[[str | Path | None], pd.DataFrame]
    tables: Callable[[pd.DataFrame], dict[str, pd.DataFrame]]
    about: Mapping[str, object]
    file: str | None = None


def importer_names() -> tuple[str, ...]:
    """Return the names of all importers: the modules beside this one."""
    folder = Path(__file__).parent
    return tuple(sorted(m.name for m in pkgutil.iter_modules([str(folder)]) if m.name != "registry"))


@cache
def importers() -> Mapping[str, Importer]:
    """Return every importer by name.

    Returns
    -------
    mapping
        Module name to its ``IMPORTER``.
    """
    return {
        name: importlib.import_module(f"riskmodel.data.importers.{name}").IMPORTER
        for name in importer_names()
    }


def import_panel(name: str, out: str | Path, file: str | Path | None = None) -> dict[str, int]:
    """Import a panel into a folder of the contract.

    Parameters
    ----------
    name
        One of `importers`.
    out
        The folder to write; files of the same names are replaced.
    file
        The panel's own file, where it needs one.

    Returns
    -------
    dict
        Table name to rows written.

    Raises
    ------
    UsageError
        If there is no such panel, a file is missing or given in vain, or the folder cannot be written to.
    InputRefused
        If the file is not that panel.
    """
    if name not in importers():
        raise UsageError(f"no panel {name!r}; there are: {', '.join(importers())}")
    importer = importers()[name]
    if (importer.file is None) == (file is not None):
        want = "give its FILE" if importer.file else "it comes with a package: give no FILE"
        raise UsageError(f"import {name}: {want}")
    tables = importer.tables(importer.read(file))
    folder = Path(out)
    for table, frame in tables.items():
        files.write_table(frame, folder / f"{table}.parquet")
    files.write_text(yaml.safe_dump(dict(importer.about), sort_keys=False), folder / "about.yaml")
    return {table: len(frame) for table, frame in tables.items()}
