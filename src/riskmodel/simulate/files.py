"""Writing a simulated county as the contract's files: each whole or not at all, the same bytes each time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from riskmodel.io.files import atomic
from riskmodel.simulate.assemble import TRUTH_SCHEMA, Order, SimulatedCounty, about, blocks
from riskmodel.simulate.dirty import LOG, SPOILED, Dirt, spoil
from riskmodel.simulate.history import DIRT, stream
from riskmodel.simulate.months import last_day

TRUTH = "truth"
# A folder of its own: the log is no table of the county.
FOLDER = "spoiled"


def write(made: SimulatedCounty, out: str | Path) -> list[Path]:
    """Write a county that is in memory.

    Parameters
    ----------
    made : SimulatedCounty
    out : str or Path
        A folder; made if it is not there. Files of the same names are replaced.

    Returns
    -------
    list of Path
        The tables, ``truth.parquet`` and ``about.yaml``.
    """
    truth = pa.Table.from_pandas(made.truth, schema=TRUTH_SCHEMA, preserve_index=False)
    return _write(Path(out), iter([(made.tables, truth.replace_schema_metadata(None))]), made.about)


def write_blocks(asked: Order, out: str | Path, dirt: Dirt | None = None) -> list[Path]:
    """Simulate and write a county block by block, so that memory does not grow with its size.

    Parameters
    ----------
    asked : Order
        From `county.order`.
    out : str or Path
    dirt : Dirt, optional
        How its records are spoiled; what was done to which row goes into ``spoiled/spoiled.csv``.

    Returns
    -------
    list of Path
        As `write`; a county of more than one block has one row group a block.
    """
    if dirt is None:
        return _write(Path(out), blocks(asked), about(asked))
    logs: list[pd.DataFrame] = []
    files = _write(Path(out), _spoiled(asked, dirt, logs), about(asked))
    log = Path(out) / FOLDER / LOG
    with atomic(log) as temporary:
        pd.concat(logs, ignore_index=True).to_csv(temporary, index=False, lineterminator="\n")
    return [*files, log]


def _spoiled(
    asked: Order, dirt: Dirt, logs: list[pd.DataFrame]
) -> Iterator[tuple[dict[str, pa.Table], pa.Table]]:
    """Spoil a county block by block, each with its own stream; the logs are added to ``logs``."""
    rows = dict.fromkeys(SPOILED, 0)
    for k, (tables, truth) in enumerate(blocks(asked)):
        written, log = spoil(
            tables,
            dirt,
            stream(asked.plan.seed, DIRT, k),
            line=asked.profile.office.line,
            promised_days=asked.profile.recording.most_days,
            end=pd.Timestamp(last_day(asked.plan.last)),
            first_row=rows,
        )
        rows = {name: n + written[name].num_rows for name, n in rows.items()}
        logs.append(log)
        yield written, truth


def _write(
    out: Path, parts: Iterator[tuple[dict[str, pa.Table], pa.Table]], facts: dict[str, Any]
) -> list[Path]:
    out.mkdir(parents=True, exist_ok=True)
    writers: dict[str, pq.ParquetWriter] = {}
    done: list[Path] = []
    try:
        for tables, truth in parts:
            for name, table in (*tables.items(), (TRUTH, truth)):
                if name not in writers:
                    writers[name] = pq.ParquetWriter(_partial(out, name), table.schema, compression="zstd")
                writers[name].write_table(table)
    except BaseException:
        _close(writers.values())
        for name in writers:
            _partial(out, name).unlink(missing_ok=True)
        raise
    _close(writers.values())
    for name in writers:
        done.append(_partial(out, name).replace(out / f"{name}.parquet"))
    text = yaml.safe_dump(facts, allow_unicode=True, sort_keys=False)
    part = out / ".about.yaml.part"
    part.write_text(text, encoding="utf-8")
    return [*done, part.replace(out / "about.yaml")]


def _partial(out: Path, name: str) -> Path:
    return out / f".{name}.parquet.part"


def _close(writers: Iterable[pq.ParquetWriter]) -> None:
    for writer in writers:
        writer.close()
