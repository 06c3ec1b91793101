"""The registry of importers: what each must offer, and how any of them writes a folder of the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml
from pydantic import ValidationError

from riskmodel.data.schema import About
from riskmodel.errors import UsageError, did_you_mean
from riskmodel.io import Registry, write_table, write_text


@dataclass(frozen=True)
class Importer:
    """One panel from elsewhere that can be brought into the contract's tables.

    Parameters
    ----------
    name
        What it is called: ``riskmodel import NAME``.
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
    order
        Place among the others.
    """

    name: str
    title: str
    read: Callable[[str | Path | None], pd.DataFrame]
    tables: Callable[[pd.DataFrame], dict[str, pd.DataFrame]]
    about: Mapping[str, object]
    file: str | None = None
    order: int = 0


def _importer_problems(importer: Importer) -> list[str]:
    """Return what is wrong with an importer whose fields are of the declared types: its ``about.yaml``."""
    try:
        About.model_validate(dict(importer.about))
    except ValidationError as exc:
        return [f"about: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in exc.errors()]
    return []


IMPORTERS: Registry[Importer] = Registry("panel", "riskmodel.data.importers", _importer_problems)


def import_panel(name: str, out: str | Path, file: str | Path | None = None) -> dict[str, int]:
    """Import a panel into a folder of the contract.

    Parameters
    ----------
    name
        One of `IMPORTERS`.
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
    if name not in IMPORTERS:
        meant = did_you_mean(name, IMPORTERS)
        raise UsageError(f"no panel {name!r}; there are: {', '.join(IMPORTERS)}{meant}")
    importer = IMPORTERS[name]
    if (importer.file is None) == (file is not None):
        want = "give its FILE" if importer.file else "it comes with a package: give no FILE"
        raise UsageError(f"import {name}: {want}")
    tables = importer.tables(importer.read(file))
    folder = Path(out)
    for table, frame in tables.items():
        write_table(frame, folder / f"{table}.parquet")
    write_text(yaml.safe_dump(dict(importer.about), sort_keys=False), folder / "about.yaml")
    return {table: len(frame) for table, frame in tables.items()}
