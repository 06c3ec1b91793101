"""Panels of persons or households, imported by a map: any file, or one that comes with riskmodel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml

from riskmodel.errors import UsageError, did_you_mean
from riskmodel.importing.panel_files import PanelFile, read_package_data, read_panel_file
from riskmodel.importing.panel_map import PANELS, PanelMap, read_panel_map
from riskmodel.importing.panel_tables import panel_tables
from riskmodel.io import write_table, write_text


@dataclass(frozen=True)
class PanelImport:
    """What an import wrote.

    Parameters
    ----------
    rows
        Table to rows.
    households
        How many households, or persons of a panel of persons.
    told
        What was left out and why.
    waves
        Households observed at each month (``2010-12``) that has observations: who is missing was not met.
    """

    rows: dict[str, int]
    households: int
    told: tuple[str, ...]
    waves: dict[str, int]


class _Packaged(Mapping[str, PanelMap]):
    """The panels that come with riskmodel by their ids, read when first asked for."""

    @cached_property
    def _maps(self) -> dict[str, PanelMap]:
        maps = [read_panel_map(path) for path in sorted(PANELS.glob("*.yaml"))]
        return {str(m.id): m for m in sorted(maps, key=lambda m: (m.order, str(m.id)))}

    def __getitem__(self, name: str) -> PanelMap:
        return self._maps[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._maps)

    def __len__(self) -> int:
        return len(self._maps)


IMPORTERS: Mapping[str, PanelMap] = _Packaged()


def import_panel_file(file: str | Path, plan: PanelMap | str | Path, out: str | Path) -> PanelImport:
    r"""Import a panel's file into a folder of the contract.

    Parameters
    ----------
    file
        CSV, Parquet, a workbook, Stata or SPSS.
    plan
        The map, its file, or the id of one that comes with riskmodel.
    out
        The folder to write; files of the same names are replaced.

    Returns
    -------
    PanelImport
        Rows by table, and what was left out.

    Raises
    ------
    SpecError
        If the map is wrong.
    InputRefused
        If the file is not what the map says.
    UsageError
        If a library is missing.

    Examples
    --------
    >>> import tempfile
    >>> plan = PanelMap.model_validate({
    ...     "person": "who", "time": {"year": "year"}, "persons": {"kind": "person", "age": "age"},
    ...     "income": {"amount": "pay", "covers": "year"},
    ... })
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "pay.csv"
    ...     _ = file.write_text("who,year,age,pay\n1,2019,40,8000\n1,2021,42,9000\n")
    ...     import_panel_file(file, plan, Path(folder) / "county").rows["income"]
    2
    """
    plan = plan if isinstance(plan, PanelMap) else read_panel_map(plan)
    ids = [*plan.unit_columns, *([plan.person] if plan.person else [])]
    return _import(read_panel_file(file, ids, plan.sheet), plan, Path(out))


def import_panel(name: str, out: str | Path, file: str | Path | None = None) -> dict[str, int]:
    """Import a panel that comes with riskmodel into a folder of the contract.

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
    plan = IMPORTERS[name]
    if (plan.data is not None) == (file is not None):
        want = "give its FILE" if plan.data is None else "it comes with a package: give no FILE"
        raise UsageError(f"import {name}: {want}")
    if plan.data is not None:
        return _import(read_package_data(plan.data), plan, Path(out)).rows
    return import_panel_file(str(file), plan, out).rows


def _import(file: PanelFile, plan: PanelMap, folder: Path) -> PanelImport:
    made = panel_tables(file, plan)
    for table, frame in made.tables.items():
        write_table(frame, folder / f"{table}.parquet")
    write_text(yaml.safe_dump(made.about, sort_keys=False), folder / "about.yaml")
    households = made.tables["households"]["household_id"].nunique()
    rows = {table: len(frame) for table, frame in made.tables.items()}
    return PanelImport(rows, int(households), tuple(made.told), made.waves)
