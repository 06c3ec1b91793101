"""Where a panel's data come from, or why they are not there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from riskmodel import data as counties
from riskmodel import simulate
from riskmodel.benchmark.declared import Panel, Size
from riskmodel.data import County, importers
from riskmodel.errors import InputMissing, UsageError
from riskmodel.runs import training


@dataclass(frozen=True)
class Source:
    """A panel's county, and the simulator's truth where it is simulated."""

    county: County
    truth: pd.DataFrame | None


def open_county(panel: Panel, size: Size, folder: Path, file: Path | None) -> Source:
    """Simulate or import a panel's county and read it.

    Parameters
    ----------
    panel : Panel
        Of a source that is a county.
    size : Size
        Of simulated counties.
    folder : Path
        Where its tables are written.
    file : Path, optional
        The panel's own file, where it needs one.

    Returns
    -------
    Source

    Raises
    ------
    UsageError
        If the panel's file or package is not here; the message is the reason it is skipped for.
    """
    if panel.source == "simulate":
        made = simulate.simulate_county(
            households=size.households, months=size.months, seed=panel.seed, profile=panel.profile,
            futures=size.futures,
        )  # fmt: skip
        simulate.write_simulated_county(made, folder)
        return Source(counties.read_county(folder), training.read_truth(folder))
    if panel.source == "eph":
        importers.run("eph", folder, needed(panel, file))
    else:
        importers.run("wagepan", folder)
    return Source(counties.read_county(folder), None)


def needed(panel: Panel, file: Path | None) -> Path:
    """Return the file of a panel that needs one.

    Parameters
    ----------
    panel : Panel
    file : Path, optional

    Returns
    -------
    Path

    Raises
    ------
    UsageError
        If it is not given or not there.
    """
    option = f"--{panel.source.replace('_', '-')} FILE"
    if file is None:
        raise UsageError(f"{panel.source}: its file is not given ({option})")
    if not file.is_file():
        raise InputMissing(f"{panel.source}: there is no file {file.name} where {option} points to")
    return file
