"""A whole simulated county: blocks of households, put together in memory or written one by one.

Writing a simulated county as the contract's files: each whole or not at all, the same bytes each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from riskmodel.data import month_end
from riskmodel.io import atomic, write_text
from riskmodel.simulate.data_errors import LOG, SPOILED, ErrorProfile, inject_errors
from riskmodel.simulate.history import (
    DIRT,
    PLACES,
    DateLike,
    SimulationSpec,
    run_block,
    simulation_spec,
)
from riskmodel.simulate.income_records import income_and_spending
from riskmodel.simulate.office import FlagRule
from riskmodel.simulate.parameters import Profile, parameter_arrays
from riskmodel.simulate.population import places
from riskmodel.simulate.records import (
    RecordWriter,
    event_tables,
    household_rows,
    member_rows,
)
from riskmodel.simulate.state import stream
from riskmodel.simulate.truth import TRUTH_SCHEMA, truth_rows

FORMAT_VERSION = 1
TABLES = (
    "households",
    "members",
    "income",
    "spending",
    "risk_events",
    "monitoring",
    "support",
    "visits",
    "assets",
    "procedure",
    "recorded",
)


@dataclass(frozen=True)
class SimulatedCounty:
    """A simulated county.

    Parameters
    ----------
    tables : dict
        Arrow tables in the contract's form.
    truth : DataFrame
        ``truth.parquet`` of the contract.
    about : dict
        ``about.yaml``.
    """

    tables: dict[str, pa.Table]
    truth: pd.DataFrame
    about: dict[str, Any]

    def __repr__(self) -> str:
        counts = ", ".join(f"{name} {t.num_rows:,}" for name, t in self.tables.items())
        return f"SimulatedCounty({counts} rows; truth {len(self.truth):,})"

    @cached_property
    def frames(self) -> dict[str, pd.DataFrame]:
        """The tables as pandas frames; dates are timestamps, months text."""
        return {name: t.to_pandas(date_as_object=False) for name, t in self.tables.items()}


def blocks(spec: SimulationSpec) -> Iterator[tuple[dict[str, pa.Table], pa.Table]]:
    """Make a county block by block."""
    plan = spec.plan
    t = parameter_arrays(spec.profile)
    where = places(stream(plan.seed, PLACES), plan.households, spec.profile)
    for k in range(-(-plan.households // plan.block)):
        history = run_block(plan, k, where, t, spec.rule)
        writer = RecordWriter(plan, k, t)
        tables = income_and_spending(writer, history)
        tables["households"] = household_rows(writer, history, where)
        tables["members"] = member_rows(writer, history)
        tables |= event_tables(writer, history)
        yield (
            {name: tables[name] for name in TABLES if name in tables},
            truth_rows(spec, k, history, writer, t),
        )


def about(spec: SimulationSpec) -> dict[str, Any]:
    """Return what ``about.yaml`` says of a county."""
    plan, recording = spec.plan, spec.profile.recording
    promise = {} if recording.tells else {"recording_delay_days": recording.most_days}
    return {
        "data_through": month_end(plan.last),
        **promise,
        "simulated": {
            "format_version": FORMAT_VERSION,
            "profile": spec.profile.id,
            "seed": plan.seed,
            "households": plan.households,
            "months": plan.months,
            "line": spec.profile.office.line,
            "register": spec.register,
            "truth_at": [month_end(m) for m in spec.truth_at],
            "horizon_months": spec.horizons[0] if len(spec.horizons) == 1 else list(spec.horizons),
            "futures": spec.futures,
            "truth_sample": spec.truth_sample,
        },
    }


def simulate_county(
    *,
    households: int = 3000,
    months: int = 60,
    seed: int = 0,
    profile: str | Path | Profile = "default",
    flag_rule: FlagRule | None = None,
    start: str = "2017-01",
    truth_at: Iterable[DateLike] | None = None,
    horizon: int | Iterable[int] = 12,
    futures: int = 1000,
    truth_sample: int | None = None,
) -> SimulatedCounty:
    """Simulate a county whose true risks are known.

    Parameters
    ----------
    households
        How many at the first month of records.
    months : int, optional
        Whole months of records, at least 24.
    seed : int, optional
        The same seed (and other arguments) gives the same bytes.
    profile : str, Path or Profile, optional
        The county's parameters: a packaged id or a path to a ``.yaml`` file.
    flag_rule : callable, optional
        The register's rule, from a `RuleView` to a boolean array (`register_rule` makes one
        of a rule set); default: of the 2021 national kind.
    start : str, optional
        The first month, ``YYYY-MM``.
    truth_at : iterable of date, optional
        Month ends whose truth is wanted; none for an empty iterable; default: the last two half-year ends
        whose window, late records included, is over.
    horizon : int or several, optional
        Months ahead of the truth.
    futures : int, optional
        Simulated futures a household and date; 1,000 or more where truth is the reference; 0 for none.
    truth_sample : int, optional
        Truth for so many households only, drawn by the seed: a large county's truth takes far longer than
        its history. All by default.

    Returns
    -------
    SimulatedCounty
        Tables of the data contract (``frames`` as pandas, ``tables`` as Arrow), ``about``, and ``truth``.

    Raises
    ------
    UsageError
        If a number is out of range, a date is no month end, or there is no such profile.

    Examples
    --------
    >>> county = simulate_county(households=40, months=24, truth_at=())
    >>> sorted(county.frames)[:3], len(county.truth)
    (['assets', 'households', 'income'], 0)
    """
    spec = simulation_spec(
        households=households,
        months=months,
        seed=seed,
        profile_name=profile,
        flag_rule=flag_rule,
        start=start,
        truth_at=truth_at,
        horizon=horizon,
        futures=futures,
        truth_sample=truth_sample,
    )
    parts = list(blocks(spec))
    tables = {name: pa.concat_tables([tables[name] for tables, _ in parts]) for name in parts[0][0]}
    truth = pa.concat_tables([rows for _, rows in parts]).to_pandas(date_as_object=False)
    return SimulatedCounty(tables, truth, about(spec))


TRUTH_FILES = "truth"
# Written beside it on request (`riskmodel.simulate.lower_bound`): of one county, so never kept for the next.
LOWER_BOUND = "lower_bound.parquet"
# A folder of its own: the log is no table of the county.
FOLDER = "spoiled"


def write_simulated_county(county: SimulatedCounty, out: str | Path) -> list[Path]:
    """Write a county that is in memory.

    Parameters
    ----------
    county
        From `simulate_county`.
    out : str or Path
        A folder; made if it is not there. Files of the same names are replaced.

    Returns
    -------
    list of Path
        The tables, ``truth.parquet`` and ``about.yaml``.
    """
    truth = pa.Table.from_pandas(county.truth, schema=TRUTH_SCHEMA, preserve_index=False)
    return _write(Path(out), iter([(county.tables, truth.replace_schema_metadata(None))]), county.about)


def write_simulated_blocks(
    spec: SimulationSpec, out: str | Path, errors: ErrorProfile | None = None
) -> list[Path]:
    """Simulate and write a county block by block, so that memory does not grow with its size.

    Parameters
    ----------
    spec : SimulationSpec
        From `simulation_spec`.
    out
        A folder; made if it is not there. Files of the same names are replaced.
    errors : ErrorProfile, optional
        Which errors its records receive; what was done to which row goes into ``spoiled/spoiled.csv``.

    Returns
    -------
    list of Path
        As `write_simulated_county`; a county of more than one block has one row group a block.
    """
    if errors is None:
        return _write(Path(out), blocks(spec), about(spec))
    logs: list[pd.DataFrame] = []
    files = _write(Path(out), _with_errors(spec, errors, logs), about(spec))
    log = Path(out) / FOLDER / LOG
    with atomic(log) as temporary:
        pd.concat(logs, ignore_index=True).to_csv(temporary, index=False, lineterminator="\n")
    return [*files, log]


def _with_errors(
    spec: SimulationSpec, errors: ErrorProfile, logs: list[pd.DataFrame]
) -> Iterator[tuple[dict[str, pa.Table], pa.Table]]:
    """Inject errors block by block, each with its own stream; the logs are added to ``logs``."""
    rows = dict.fromkeys(SPOILED, 0)
    for k, (tables, truth) in enumerate(blocks(spec)):
        written, log = inject_errors(
            tables,
            errors,
            stream(spec.plan.seed, DIRT, k),
            line=spec.profile.office.line,
            promised_days=spec.profile.recording.most_days,
            end=pd.Timestamp(month_end(spec.plan.last)),
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
    try:
        with ExitStack() as files:
            for tables, truth in parts:
                for name, table in (*tables.items(), (TRUTH_FILES, truth)):
                    if name not in writers:
                        file = pq.ParquetWriter(_partial(out, name), table.schema, compression="zstd")
                        writers[name] = files.enter_context(file)
                    writers[name].write_table(table)
    except BaseException:
        for name in writers:
            _partial(out, name).unlink(missing_ok=True)
        raise
    tables_written = [_partial(out, name).replace(out / f"{name}.parquet") for name in writers]
    for name in set(TABLES) - set(writers):  # of a county simulated here before
        (out / f"{name}.parquet").unlink(missing_ok=True)
    (out / LOWER_BOUND).unlink(missing_ok=True)
    text = yaml.safe_dump(facts, allow_unicode=True, sort_keys=False)
    return [*tables_written, write_text(text, out / "about.yaml")]


def _partial(out: Path, name: str) -> Path:
    return out / f".{name}.parquet.part"
