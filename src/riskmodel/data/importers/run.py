"""The importers by name, and the one way in which they write a folder of the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from riskmodel.data.importers import eph, wagepan
from riskmodel.errors import UsageError
from riskmodel.io import files

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Panel:
    """One panel that can be imported."""

    read: Callable[[str | Path | None], pd.DataFrame]
    tables: Callable[[pd.DataFrame], dict[str, pd.DataFrame]]
    about: Mapping[str, object]
    needs_file: bool


PANELS: Mapping[str, Panel] = {
    "eph": Panel(eph.read, eph.tables, eph.ABOUT, needs_file=True),
    "wagepan": Panel(wagepan.read, wagepan.tables, wagepan.ABOUT, needs_file=False),
}


def run(name: str, out: str | Path, file: str | Path | None = None) -> dict[str, int]:
    """Import a panel into a folder of the contract."""
    if name not in PANELS:
        raise UsageError(f"no panel {name!r}; there are: {', '.join(PANELS)}")
    panel = PANELS[name]
    if panel.needs_file == (file is None):
        want = "give its FILE" if panel.needs_file else "it comes with a package: give no FILE"
        raise UsageError(f"import {name}: {want}")
    tables = panel.tables(panel.read(file))
    folder = Path(out)
    for table, frame in tables.items():
        files.write_table(frame, folder / f"{table}.parquet")
    files.write_text(yaml.safe_dump(dict(panel.about), sort_keys=False), folder / "about.yaml")
    return {table: len(frame) for table, frame in tables.items()}
