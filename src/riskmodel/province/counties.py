"""The counties of a province: a folder of counties, a list of them, or a partitioned Parquet lake.

In a lake the county stands in the name of a partition, ``county=甲县``. Some writers percent-encode it
(``county=%E7%94%B2%E5%8E%BF``), so partitions are never looked up by a name: every one that is there is read
and its name decoded, and two that decode to one county are refused.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import tempfile
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pydantic import Field

from riskmodel.data import FILE_ENDINGS, table_of
from riskmodel.errors import InputMissing, InputRefused, SpecError
from riskmodel.io import Spec, file_digest, folder_digest, parse_spec, read_yaml

PARTITION = "county="
_NULL = "__HIVE_DEFAULT_PARTITION__"
_LONGEST = 80  # characters of a name: it becomes a folder, of at most 255 bytes


@dataclass(frozen=True)
class CountySource:
    """Where one county's tables stand.

    Attributes
    ----------
    name
        The county's own, decoded.
    data
        What `riskmodel.data.read_county` reads; of a lake whose tables are in parts, the folder that is
        said of it.
    parts
        Table to its part files, where tables are folders of parts; empty otherwise.
    visits
        How many can be visited there, where a list says so.
    absent
        Tables that other counties of the lake have and this one has not: they count as absent, not as empty.
    """

    name: str
    data: Path
    parts: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    visits: int | None = None
    absent: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """One digest of all that is read of it: names and bytes, no dates."""
        if not self.data.exists():
            return ""
        if not self.parts:
            return folder_digest(self.data)
        found = hashlib.sha256()
        for table, files in sorted(self.parts.items()):
            for path in files:
                found.update(f"{table}\n{path.name}\n{file_digest(path)}\n".encode())
        for path in self._plain_files():
            found.update(f"{path.name}\n{file_digest(path)}\n".encode())
        return found.hexdigest()

    @contextlib.contextmanager
    def opened(self) -> Iterator[Path]:
        """Give what `riskmodel.data.read_county` reads; parts are put together in a temporary folder.

        Yields
        ------
        Path
            A folder, a workbook or a DuckDB file.

        Raises
        ------
        InputRefused
            If the parts of a table do not fit together.
        """
        if not self.parts:
            yield self.data
            return
        with tempfile.TemporaryDirectory(prefix="riskmodel-county-") as above:
            folder = Path(above) / self.name
            folder.mkdir()
            for path in self._plain_files():
                (folder / path.name).symlink_to(path.absolute())
            for table, files in self.parts.items():
                _join_parts(table, files, folder / f"{table}.parquet")
            yield folder

    def _plain_files(self) -> list[Path]:
        inside = sorted(self.data.iterdir()) if self.data.is_dir() else []
        return [p for p in inside if p.is_file() and not p.name.startswith((".", "_", "~$"))]


def _join_parts(table: str, files: tuple[Path, ...], target: Path) -> None:
    """Write the parts of a table as one file, in the order of their names."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        parts = [pq.read_table(path, partitioning=None) for path in files]
        pq.write_table(pa.concat_tables(parts, promote_options="default"), target)
    except (OSError, pa.ArrowException) as exc:
        raise InputRefused(
            f"{table}: its parts cannot be read as one table ({exc}); write them again"
        ) from exc


def find_counties(counties: str | Path) -> list[CountySource]:
    """Find the counties of a province.

    Parameters
    ----------
    counties
        A folder of counties (each a folder of tables, a workbook or a DuckDB file); a list of them, ``.yaml``
        or ``.csv``, with ``county``, ``data`` (from where the list stands) and, if wanted, ``visits``; or a
        lake of Parquet files, ``county=NAME/TABLE.parquet`` or ``TABLE/county=NAME/*.parquet``.

    Returns
    -------
    list of CountySource
        By name.

    Raises
    ------
    InputMissing
        If there is no such folder or file.
    InputRefused
        If there is no county in it, two have one name, or a name cannot be a folder's.
    """
    root = Path(counties)
    if not root.exists():
        raise InputMissing(f"{root}: no such folder or file; give a folder of counties, or a list of them")
    found = _in_folder(root) if root.is_dir() else _in_list(root)
    if not found:
        raise InputRefused(f"{root}: no county in it: give a folder of county folders, a list, or a lake")
    seen: dict[str, CountySource] = {}
    for source in found:
        _check_name(source.name, root)
        # Names that differ in case or composition only would be one folder on some disks.
        key = unicodedata.normalize("NFC", source.name).casefold()
        if key in seen:
            both = f"{seen[key].data} and {source.data}"
            raise InputRefused(
                f"{root}: {both} are both county {source.name}: rows of one county stand in two places "
                "(a percent-encoded name and a plain one?); put them together, or rename one"
            )
        seen[key] = source
    return sorted(found, key=lambda source: source.name)


def _check_name(name: str, root: Path) -> None:
    if name == _NULL or not name.strip():
        raise InputRefused(f"{root}: rows without a county (partition {name or 'of an empty name'}): name it")
    odd = any(c in '/\\:*?"<>|' or ord(c) < 32 for c in name)
    if odd or name.startswith((".", " ")) or len(name) > _LONGEST:
        raise InputRefused(
            f"{root}: {name!r} cannot be a folder's name: at most {_LONGEST} characters, none of "
            '/ \\ : * ? " < > |'
        )


def _in_folder(root: Path) -> list[CountySource]:
    folders = [p for p in sorted(root.iterdir()) if p.is_dir() and not p.name.startswith((".", "_"))]
    partitions = [p for p in folders if p.name.startswith(PARTITION)]
    if partitions:
        others = [p.name for p in folders if p not in partitions]
        if others:
            raise InputRefused(
                f"{root}: partitions {PARTITION}… and other folders ({', '.join(others)}): part them"
            )
        return _with_absent([_county_folder(p, _decoded(p)) for p in partitions])
    by_table = {table: p for p in folders if (table := table_of(p.name.removesuffix(".parquet"))) is not None}
    if by_table:
        return _by_table(root, by_table)
    files = [p for p in sorted(root.iterdir()) if p.is_file() and p.suffix.lower() in FILE_ENDINGS]
    whole = [CountySource(p.stem, p) for p in files if not p.name.startswith((".", "~$"))]
    if any(table_of(source.name) for source in whole):
        raise InputRefused(f"{root}: this is one county's folder; give the folder above it, or a list")
    return [*(_county_folder(p, p.name) for p in folders), *whole]


def _decoded(partition: Path) -> str:
    return unquote(partition.name.removeprefix(PARTITION))


def _county_folder(folder: Path, name: str) -> CountySource:
    """Return a county's folder; tables in it may be folders of parts, as Spark writes them."""
    parts: dict[str, tuple[Path, ...]] = {}
    for path in sorted(folder.iterdir()):
        table = table_of(path.name.removesuffix(".parquet")) if path.is_dir() else None
        if table is not None:
            parts[table] = _part_files(path)
    return CountySource(name, folder, {table: files for table, files in parts.items() if files})


def _part_files(folder: Path) -> tuple[Path, ...]:
    return tuple(
        p for p in sorted(folder.glob("*.parquet")) if p.is_file() and not p.name.startswith((".", "_"))
    )


def _by_table(root: Path, tables: Mapping[str, Path]) -> list[CountySource]:
    """Return the counties of a lake with a folder a table, each with a partition a county."""
    parts: dict[str, dict[str, tuple[Path, ...]]] = {}
    encoded: dict[tuple[str, str], Path] = {}
    for table, folder in tables.items():
        for partition in sorted(p for p in folder.iterdir() if p.is_dir() and p.name.startswith(PARTITION)):
            name = _decoded(partition)
            if (table, name) in encoded:
                both = f"{encoded[table, name].name} and {partition.name}"
                raise InputRefused(f"{folder}: {both} are both county {name}: put their rows into one")
            encoded[table, name] = partition
            if files := _part_files(partition):
                parts.setdefault(name, {})[table] = files
    return _with_absent([CountySource(name, root, held) for name, held in parts.items()])


def _with_absent(sources: list[CountySource]) -> list[CountySource]:
    """Say of each county of a lake which tables the others have."""
    tables = {source.name: _tables(source) for source in sources}
    every = set().union(*tables.values()) if tables else set()
    return [
        CountySource(s.name, s.data, s.parts, s.visits, tuple(sorted(every - tables[s.name])))
        for s in sources
    ]


def _tables(source: CountySource) -> set[str]:
    inside = source.data.iterdir() if source.data.name.startswith(PARTITION) else ()
    plain = {table for p in inside if p.is_file() and (table := table_of(p.stem)) is not None}
    return plain | set(source.parts)


class ListedCounty(Spec):
    """One county of a list."""

    county: str
    data: str
    visits: int | None = Field(default=None, ge=1)


class CountyList(Spec):
    """A list of counties."""

    counties: tuple[ListedCounty, ...] = Field(min_length=1)


def _in_list(path: Path) -> list[CountySource]:
    kind = path.suffix.lower()
    if kind in (".yaml", ".yml"):
        content: Any = read_yaml(path)
    elif kind == ".csv":
        content = {"counties": _csv_rows(path)}
    else:
        raise InputRefused(f"{path}: give a folder of counties, or a list that ends in .yaml or .csv")
    try:
        listed = parse_spec(content, CountyList, path).counties
    except SpecError as exc:
        raise InputRefused(str(exc)) from exc
    out = []
    for one in listed:
        data = path.parent / one.data
        # One that is not there fails alone, when its turn comes.
        source = _county_folder(data, one.county) if data.is_dir() else CountySource(one.county, data)
        out.append(CountySource(one.county, data, source.parts, one.visits))
    return out


def _csv_rows(path: Path) -> list[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as exc:
        raise InputRefused(f"{path}: cannot be read as UTF-8 text; save it as UTF-8") from exc
    return [{k: v for k, v in row.items() if k is not None and v not in (None, "")} for row in rows]
