"""A whole simulated county: blocks of households, put together in memory or written one by one.

Writing a simulated county as the contract's files: each whole or not at all, the same bytes each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from riskmodel.data import month_end
from riskmodel.errors import UsageError
from riskmodel.io import atomic
from riskmodel.simulate import office
from riskmodel.simulate import truth as fut
from riskmodel.simulate.data_errors import LOG, SPOILED, ErrorProfile, inject_errors
from riskmodel.simulate.history import DIRT, PLACES, TRUTH, Block, Plan, run_block, stream
from riskmodel.simulate.months import DateLike, month_of_end, ordinal
from riskmodel.simulate.office import FlagRule
from riskmodel.simulate.parameters import ParameterArrays, Profile, load_profile, parameter_arrays
from riskmodel.simulate.population import places
from riskmodel.simulate.records import (
    RecordWriter,
    category_array,
    date_array,
    household_rows,
    income_and_spending,
    member_rows,
)
from riskmodel.simulate.records import day_numbers as to_days
from riskmodel.simulate.register_records import event_tables
from riskmodel.simulate.state import Bools, Ints, State, logged_columns

FORMAT_VERSION = 1
DEFAULT_REGISTER = "default"
MIN_MONTHS = 24
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
)


@dataclass(frozen=True)
class SimulationSpec:
    """What is asked for: a plan, the truth wanted, and the process it is made by."""

    plan: Plan
    profile: Profile
    rule: FlagRule
    truth_at: tuple[int, ...]
    horizons: tuple[int, ...]
    futures: int
    truth_sample: int | None = None
    # Which rule the register goes by: a rule set's id, "default", or that of a function without one.
    register: str = DEFAULT_REGISTER


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


def simulation_spec(
    *,
    households: int = 3000,
    months: int = 60,
    seed: int = 0,
    profile_name: str | Path | Profile = "default",
    flag_rule: FlagRule | None = None,
    start: str = "2017-01",
    truth_at: Iterable[DateLike] | None = None,
    horizon: int | Iterable[int] = 12,
    futures: int = 1000,
    truth_sample: int | None = None,
) -> SimulationSpec:
    """Check what is asked for; see `simulate_county` for the parameters and what is raised."""
    given = load_profile(profile_name)
    for name, value, low in (
        ("households", households, 1),
        ("months", months, MIN_MONTHS),
        ("futures", futures, 0),
        ("truth_sample", 1 if truth_sample is None else truth_sample, 1),
    ):
        if value < low:
            raise UsageError(f"{name}={value}: must be at least {low}")
    horizons = tuple(sorted({horizon} if isinstance(horizon, int) else set(horizon)))
    for ahead in horizons or (0,):
        if not 1 <= ahead <= 24:
            raise UsageError(f"horizon={ahead}: must be 1 to 24 months")
    first = ordinal(start)
    last = first + months - 1
    at = (
        _default_dates(first, last, max(horizons), given.recording.most_days)
        if truth_at is None
        else sorted({month_of_end(d) for d in truth_at})
    )
    at = at if futures else []
    for month in at:
        if not first <= month <= last:
            raise UsageError(
                f"truth at {month_end(month)}: outside the simulated months, {start} to {month_end(last)}"
            )
    rule = flag_rule or office.default_rule(
        given.office.line, given.office.rigid_to_income, given.office.large_drop
    )
    plan = Plan(seed=seed, households=households, first=first, months=months, keep=tuple(at))
    register = DEFAULT_REGISTER if flag_rule is None else getattr(flag_rule, "id", "a function")
    return SimulationSpec(plan, given, rule, tuple(at), horizons, futures, truth_sample, register)


def _default_dates(first: int, last: int, horizon: int, delay_days: int) -> list[int]:
    """Return the last two half-year ends with a year behind them whose window and late records are over."""
    over = last - horizon
    ends = [m for m in range(first + 11, over + 1) if m % 6 == 5]
    recorded = [m for m in ends if m <= over - -(-delay_days // 30)]
    return (recorded or ends)[-2:]


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
        yield {name: tables[name] for name in TABLES}, _truth(spec, k, history, writer, t)


def _income_delays(spec: SimulationSpec, state: State) -> Ints:
    """Return the columns of a block whose truth is asked for: all, or those of a sample drawn by the seed."""
    if spec.truth_sample is None or spec.truth_sample >= spec.plan.households:
        return np.arange(state.n)
    rng = stream(spec.plan.seed, TRUTH)
    chosen = rng.choice(spec.plan.households, spec.truth_sample, replace=False, shuffle=False)
    return np.flatnonzero(np.isin(state.household, chosen))


def _truth(
    spec: SimulationSpec, block: int, history: Block, writer: RecordWriter, t: ParameterArrays
) -> pa.Table:
    parts = [
        _truth_at(spec, block, history, writer, t, month, ahead)
        for month in spec.truth_at
        for ahead in spec.horizons
    ]
    return pa.concat_tables(parts) if parts else TRUTH_SCHEMA.empty_table()


TRUTH_SCHEMA = pa.schema(
    [
        ("household_id", pa.string()),
        ("as_of", pa.date32()),
        ("horizon_months", pa.int32()),
        ("event", pa.string()),
        ("probability", pa.float64()),
        ("probability_unsupported", pa.float64()),
        ("mc_error", pa.float64()),
        ("outcome", pa.int8()),
    ]
)


def _truth_at(
    spec: SimulationSpec,
    block: int,
    history: Block,
    writer: RecordWriter,
    t: ParameterArrays,
    month: int,
    h: int,
) -> pa.Table:
    plan = spec.plan
    state, books = history.snapshots[month]
    rows = _income_delays(spec, state)
    if not rows.size:
        return TRUTH_SCHEMA.empty_table()
    state, books = state.take(rows), books.take(rows)
    found = fut.event_probabilities(
        state, books, month, h, t, spec.rule, futures=spec.futures, seed=plan.seed, block=block
    )
    n, events = state.n, len(fut.EVENTS)
    outcome, null = _outcomes(plan, history, rows, month, h)
    table = pa.table(
        {
            "household_id": writer.ids(np.tile(state.household, events)),
            "as_of": date_array(np.full(n * events, to_days([month_end(month)])[0])),
            "horizon_months": pa.array(np.full(n * events, h, dtype=np.int32)),
            "event": category_array(np.repeat(np.arange(events), n), fut.EVENTS),
            "probability": pa.array(found.probability.ravel()),
            "probability_unsupported": pa.array(found.probability_unsupported.ravel()),
            "mc_error": pa.array(found.error.ravel()),
            "outcome": pa.array(outcome.ravel(), mask=null.ravel()),
        },
        schema=TRUTH_SCHEMA,
    )
    # Who is gone by as-of, or whom no future has a label for, has no chance to speak of.
    known = (state.persons > 0) & (np.minimum(found.seen, found.seen_unsupported) > 0)
    return table.filter(pa.array(known.ravel()))


def _outcomes(plan: Plan, history: Block, rows: Ints, month: int, h: int) -> tuple[Ints, Bools]:
    """Return what happened in the window by event, and where that is not known."""
    events = len(fut.EVENTS)
    if month + h > plan.last:
        return np.zeros((events, rows.size), dtype=np.int8), np.ones((events, rows.size), dtype=bool)
    k = month - plan.first
    there, entered = history.persons[:, k + h] > 0, history.entered[:, k + 1 : k + h + 1].any(axis=1)
    answered, confirmed = np.zeros((2, there.size), dtype=bool)
    when, household, result, _, _ = logged_columns(history.log.visits, 5)
    within = (when > month) & (when <= month + h) & (result != office.OUTCOMES.index("absent"))
    answered[household[within] - history.start.household[0]] = True
    within &= result == office.OUTCOMES.index("confirmed")
    confirmed[household[within] - history.start.household[0]] = True
    happened = np.stack([history.below[:, k + h], entered, confirmed])
    # Who has left is nobody's zero; who was taken in before leaving was taken in; nobody met, nothing known.
    unknown = np.stack([~there, ~there & ~entered, ~answered])
    return happened[:, rows].astype(np.int8), unknown[:, rows]


def about(spec: SimulationSpec) -> dict[str, Any]:
    """Return what ``about.yaml`` says of a county."""
    plan = spec.plan
    return {
        "data_through": month_end(plan.last),
        "recording_delay_days": spec.profile.recording.most_days,
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
    >>> made = simulate_county(households=40, months=24, truth_at=())
    >>> sorted(made.frames)[:3], len(made.truth)
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
    made = list(blocks(spec))
    tables = {name: pa.concat_tables([b[0][name] for b in made]) for name in TABLES}
    truth = pa.concat_tables([b[1] for b in made]).to_pandas(date_as_object=False)
    return SimulatedCounty(tables, truth, about(spec))


TRUTH_FILES = "truth"
# A folder of its own: the log is no table of the county.
FOLDER = "spoiled"


def write_simulated_county(made: SimulatedCounty, out: str | Path) -> list[Path]:
    """Write a county that is in memory.

    Parameters
    ----------
    made
        From `simulate_county`.
    out : str or Path
        A folder; made if it is not there. Files of the same names are replaced.

    Returns
    -------
    list of Path
        The tables, ``truth.parquet`` and ``about.yaml``.
    """
    truth = pa.Table.from_pandas(made.truth, schema=TRUTH_SCHEMA, preserve_index=False)
    return _write(Path(out), iter([(made.tables, truth.replace_schema_metadata(None))]), made.about)


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
    done: list[Path] = []
    try:
        for tables, truth in parts:
            for name, table in (*tables.items(), (TRUTH_FILES, truth)):
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
