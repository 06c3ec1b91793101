"""Training on a whole province: each county's rows by itself, written as partitioned Parquet, then one fit.

What is pooled are rows of features, verdicts and labels, never records: features around a household, relative
lines, coverage and cohorts are its own county's, exactly as when the county is trained on alone. Ids and
townships get their county in front, so that no two villages of one name become one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.data import MAX_REJECTED, read_county
from riskmodel.errors import InputRefused
from riskmodel.i18n import Message, counted
from riskmodel.io import Checkpoints, read_table, write_json, write_table
from riskmodel.province.counties import PARTITION, CountySource, find_counties
from riskmodel.province.county_run import DONE, FAILED, KEPT, error_text
from riskmodel.province.engines import Limits, Record, run_in_processes
from riskmodel.runs import (
    DesignMatrix,
    Experiment,
    Fold,
    FoldRows,
    RunRows,
    TrainedRun,
    collect_rows,
    evaluate_and_log,
    fit_rows,
    load_experiment,
    rank_by_rules,
)

FORMAT = 1
STEP = "rows"
# Tables of every county: a folder each, a partition a county.
ALWAYS = ("features", "cohort")  # never without a row
AT_LINES = "at_lines"  # only where an experiment asks at other lines
TABLES = (*ALWAYS, "population", "flags", "labels", "evaluation", "findings", "unknown", "nulls")
FINAL = "final"


@dataclass(frozen=True)
class RowsTask:
    """One county whose rows are to be collected; attributes as of `riskmodel.province.CountyTask`."""

    source: CountySource
    digest: str
    out: Path
    experiment: Experiment
    reading: Mapping[str, Any]

    @property
    def checkpoints(self) -> Checkpoints:
        """Where its checkpoint stands."""
        return Checkpoints(self.out, f"steps/{self.source.name}")

    @property
    def inputs(self) -> dict[str, Any]:
        """All that its rows follow from."""
        return {"data": self.digest, "experiment": self.experiment.digest, "reading": dict(self.reading)}

    def file(self, table: str) -> Path:
        """Return the file of one of its tables."""
        return self.out / table / f"{PARTITION}{self.source.name}" / "part-0.parquet"


def train_province(
    exp: Experiment | str,
    counties: str | Path,
    out: str | Path,
    store: str | Path,
    *,
    jobs: int = 1,
    memory: str | None = None,
    threads: int | None = None,
    progress: Callable[[str], None] | None = None,
    **reading: Any,
) -> TrainedRun:
    """Fit an experiment once on the rows of all counties of a province, and log it.

    Parameters
    ----------
    exp
        What is declared; or its id.
    counties
        As `riskmodel.province.find_counties` takes them.
    out
        Folder of the rows: ``TABLE/county=NAME/part-0.parquet``. Rows that stand are kept.
    store
        MLflow's SQLite file.
    jobs, memory, threads
        As in `riskmodel.province.run_province`.
    progress
        Called with a line of text at each step.
    **reading
        As `riskmodel.data.read_county` takes them.

    Returns
    -------
    TrainedRun
        The logged run. Its rules are one list of the whole province, ranked by their distance to the line;
        no truth is looked at, and nobody is followed month by month.

    Raises
    ------
    InputRefused
        If a county's rows could not be collected (a province is not trained without one of its counties), or
        counties do not have the same as-of dates.
    """
    say = progress or (lambda _: None)
    exp = load_experiment(exp) if isinstance(exp, str) else exp
    folder = Path(out).absolute()
    options = {"max_rejected": MAX_REJECTED, "snapshot_on": None, "pseudonymise": False} | reading
    sources = find_counties(counties)
    tasks = [RowsTask(source, source.digest, folder, exp, options) for source in sources]
    records = _collect(tasks, jobs, Limits(memory, threads), say)
    write_json({"format": FORMAT, "experiment": exp.id, "counties": records}, folder / "manifest.json")
    failed = {record["county"]: record["error"] for record in records if record["state"] == FAILED}
    if failed:
        named = "; ".join(f"{county}: {error}" for county, error in failed.items())
        raise InputRefused(f"not every county can be learned from: {named}")
    pooled = pool_rows([(task.source.name, read_rows(task)) for task in tasks])
    say(f"{counted(len(pooled.matrix.rows), 'row')} of {counted(len(tasks), 'county', 'counties')} pooled")
    return evaluate_and_log(fit_rows(pooled, say), store, say=say)


def _collect(
    tasks: Sequence[RowsTask], jobs: int, limits: Limits, say: Callable[[str], None]
) -> list[Record]:
    records = {
        task.source.name: _record(task, KEPT) for task in tasks if task.checkpoints.is_done(STEP, task.inputs)
    }

    def report(record: Record) -> None:
        records[record["county"]] = record
        say(f"rows of {record['county']}: {record['error'] or record['state']}")

    waiting = [task for task in tasks if task.source.name not in records]
    if waiting:
        run_in_processes(collect_county, failed_rows, waiting, min(jobs, len(waiting)), limits, report)
    return [records[task.source.name] for task in tasks]


def collect_county(task: RowsTask) -> Record:
    """Collect the rows of one county and write them; a failure is a record, never raised."""
    try:
        task.checkpoints.path(STEP).unlink(missing_ok=True)
        with task.source.opened() as data:
            rows = collect_rows(task.experiment, read_county(data, **task.reading))
        paths, meta = write_rows(rows, task)
        task.checkpoints.write(STEP, task.inputs, paths, meta)
        return _record(task, DONE)
    except Exception as exc:
        return failed_rows(task, error_text(exc))


def _record(task: RowsTask, state: str, error: str | None = None) -> Record:
    return {"county": task.source.name, "state": state, "digest": task.digest, "error": error}


def failed_rows(task: RowsTask, error: str) -> Record:
    """Return the record of a county whose rows could not be collected."""
    return _record(task, FAILED, error)


def write_rows(rows: RunRows, task: RowsTask) -> tuple[list[Path], dict[str, Any]]:
    """Write a county's rows, a file a table; return the files and what is no table.

    Parameters
    ----------
    rows
        From `riskmodel.runs.collect_rows`.
    task
        Whose they are, and where they go.

    Returns
    -------
    paths, meta
        The files, and in plain values folds, notes and the fingerprint.
    """
    assert rows.final is not None
    labels = [(one.fold.name, part, getattr(one, part)) for one in rows.folds for part in ("train", "test")]
    tables = {
        "features": rows.matrix.X,
        "cohort": rows.matrix.rows,
        "population": rows.matrix.population,
        "flags": rows.matrix.flags,
        "labels": pd.concat(
            [t.assign(fold=f, part=p) for f, p, t in [*labels, (FINAL, FINAL, rows.final)]], ignore_index=True
        ),
        "evaluation": _joined([one.evaluation_columns.assign(fold=one.fold.name) for one in rows.folds]),
        "findings": _joined([one.findings for one in rows.folds]),
        "unknown": rows.unknown,
        "nulls": _joined([one.nulls for one in rows.folds]),
    }
    if rows.experiment.augment_lines is not None:
        tables[AT_LINES] = rows.matrix.at_lines
    paths = [write_table(frame, task.file(name)) for name, frame in tables.items()]
    meta = {
        "experiment": rows.experiment.model_dump(mode="json"),
        "fingerprint": rows.fingerprint,
        "folds": [
            [one.fold.name, [*map(str, one.fold.train)], [*map(str, one.fold.test)], str(one.fold.seen_by)]
            for one in rows.folds
        ],
        "fold_notes": [[note.as_dict() for note in one.notes] for one in rows.folds],
        "fit_notes": [note.as_dict() for note in rows.fit_notes],
        "data_notes": [note.as_dict() for note in rows.data_notes],
        "sampling_notes": [note.as_dict() for note in rows.sampling_notes],
    }
    return paths, json.loads(json.dumps(meta, default=str))


def _joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True)


def read_rows(task: RowsTask) -> RunRows:
    """Read what `write_rows` wrote.

    Parameters
    ----------
    task
        Whose rows.

    Returns
    -------
    RunRows
        As they were collected.

    Raises
    ------
    InputRefused
        If a table that is never empty has no row.
    """
    meta = task.checkpoints.result(STEP)
    exp = Experiment.model_validate(meta["experiment"])
    tables = (*TABLES, AT_LINES) if exp.augment_lines is not None else TABLES
    frames = {name: read_table(task.file(name)) for name in tables}
    for name in ALWAYS:
        if frames[name].empty:
            raise InputRefused(
                f"{task.source.name}: no row in {name}: nothing of this county would be learned"
            )
    labels = frames["labels"]
    folds = []
    for (name, train, test, seen_by), notes in zip(meta["folds"], meta["fold_notes"], strict=True):
        fold = Fold(name, tuple(map(_day, train)), tuple(map(_day, test)), _day(seen_by))
        own = {n: _of(frames[n], "fold", name) for n in ("evaluation", "findings", "nulls")}
        folds.append(
            FoldRows(
                fold,
                _labelled(labels, name, "train"),
                _labelled(labels, name, "test"),
                own["evaluation"].drop(columns="fold"),
                own["findings"],
                _messages(notes),
                own["nulls"],
            )
        )
    return RunRows(
        experiment=exp,
        matrix=DesignMatrix(
            frames["cohort"],
            frames["features"],
            frames["flags"],
            frames["population"],
            *([frames[AT_LINES]] if AT_LINES in frames else []),
        ),
        folds=tuple(folds),
        final=_labelled(labels, FINAL, FINAL),
        fingerprint=meta["fingerprint"],
        unknown=frames["unknown"],
        fit_notes=_messages(meta["fit_notes"]),
        data_notes=_messages(meta["data_notes"]),
        sampling_notes=_messages(meta["sampling_notes"]),
    )


def _day(text: str) -> Any:
    return pd.Timestamp(text).date()


def _of(frame: pd.DataFrame, column: str, value: str) -> pd.DataFrame:
    return frame[frame[column] == value].reset_index(drop=True) if column in frame else frame


def _labelled(labels: pd.DataFrame, fold: str, part: str) -> pd.DataFrame:
    chosen = labels[(labels["fold"] == fold) & (labels["part"] == part)]
    return chosen.drop(columns=["fold", "part"]).reset_index(drop=True)


def _messages(dicts: Sequence[Mapping[str, Any]]) -> tuple[Message, ...]:
    return tuple(Message.from_dict(one) for one in dicts)


def pool_rows(counties: Sequence[tuple[str, RunRows]]) -> RunRows:
    """Put the rows of several counties together.

    Parameters
    ----------
    counties
        Name and rows of each.

    Returns
    -------
    RunRows
        Ids and townships with the county in front; rows sorted by date and id; ranks of the rules anew, over
        the whole province.

    Raises
    ------
    InputRefused
        If counties are to be run with different experiments or folds.
    """
    first_name, first = counties[0]
    for name, rows in counties[1:]:
        if [one.fold for one in rows.folds] != [one.fold for one in first.folds]:
            raise InputRefused(
                f"as-of dates differ: {first_name} {_dates(first)}, {name} {_dates(rows)}; name them in the "
                "experiment (as_of: dates), so that a fold is the same days everywhere"
            )
        if rows.experiment != first.experiment:
            raise InputRefused(
                f"{first_name} and {name} cannot carry the same features (annual totals in one of them?): "
                "train on counties of one kind of records"
            )
    shift, shifted = 0, []
    for name, rows in counties:
        shifted.append(_shifted(rows, name, shift))
        shift += len(rows.matrix.X)
    matrix = DesignMatrix(
        *(
            _joined([getattr(r.matrix, n) for r in shifted])
            for n in ("rows", "X", "flags", "population", AT_LINES)
        )
    )
    matrix = replace(matrix, rows=matrix.rows.assign(rule_rank=rank_by_rules(matrix.rows)))
    rank = matrix.rows.set_index("row")["rule_rank"]
    folds = tuple(_pooled_fold([r.folds[i] for r in shifted], rank) for i in range(len(first.folds)))
    prints = "".join(f"{name} {rows.fingerprint}\n" for name, rows in counties)
    finals = [r.final for r in shifted if r.final is not None]
    return RunRows(
        experiment=first.experiment,
        matrix=matrix,
        folds=folds,
        final=_sorted(_joined(finals), rank) if finals else None,
        fingerprint=hashlib.sha256(prints.encode()).hexdigest(),
        unknown=_summed_unknown([r.unknown for r in shifted]),
        fit_notes=_once([m for r in shifted for m in r.fit_notes]),
        data_notes=_once([m for r in shifted for m in r.data_notes]),
        sampling_notes=_once([m for r in shifted for m in r.sampling_notes]),
    )


def _dates(rows: RunRows) -> str:
    return ", ".join(f"{one.fold.train[0]} to {one.fold.test[-1]}" for one in rows.folds)


def _shifted(rows: RunRows, county: str, shift: int) -> RunRows:
    """Return a county's rows with its name in front of ids and townships, at their place in the pool."""

    def named(frame: pd.DataFrame) -> pd.DataFrame:
        changed = {c: county + "/" + frame[c].astype(str) for c in ("household_id", "township") if c in frame}
        if "row" in frame:
            changed["row"] = frame["row"] + shift
        return frame.assign(**changed)

    matrix = DesignMatrix(
        named(rows.matrix.rows),
        rows.matrix.X,
        named(rows.matrix.flags),
        named(rows.matrix.population),
        named(rows.matrix.at_lines),
    )
    folds = tuple(
        replace(
            one,
            train=named(one.train),
            test=named(one.test),
            findings=named(one.findings),
            evaluation_columns=named(one.evaluation_columns),
        )
        for one in rows.folds
    )
    final = None if rows.final is None else named(rows.final)
    return replace(rows, matrix=matrix, folds=folds, final=final)


def _pooled_fold(parts: Sequence[FoldRows], rank: pd.Series) -> FoldRows:
    return FoldRows(
        parts[0].fold,
        _sorted(_joined([p.train for p in parts]), rank),
        _sorted(_joined([p.test for p in parts]), rank),
        _joined([p.evaluation_columns for p in parts]),
        _joined([p.findings for p in parts]),
        _once([m for p in parts for m in p.notes]),
        _summed_nulls(parts),
    )


def _sorted(frame: pd.DataFrame, rank: pd.Series) -> pd.DataFrame:
    ranked = frame.assign(rule_rank=rank.loc[frame["row"]].to_numpy())
    return ranked.sort_values(["as_of", "household_id"], kind="stable", ignore_index=True)


def _summed_unknown(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return `riskmodel.targets.count_unknown_incomes` of all counties."""
    out = _joined(parts).groupby(["as_of", "reason"], as_index=False)["households"].sum()
    return out.assign(share=out["households"] / out.groupby("as_of")["households"].transform("sum"))


def _summed_nulls(parts: Sequence[FoldRows]) -> pd.DataFrame:
    """Return the rows without a known outcome by reason; training rows stand without them, tests with."""
    out = _joined([p.nulls for p in parts]).groupby(["fold", "role", "reason"], as_index=False)["rows"].sum()
    held = {part: sum(len(getattr(p, part)) for p in parts) for part in ("train", "test")}
    held["train"] += int(out.loc[out["role"] == "train", "rows"].sum())
    return out.assign(share=out["rows"] / out["role"].map(held).clip(lower=1).astype(float))


def _once(messages: Sequence[Message]) -> tuple[Message, ...]:
    return tuple({message.text("en"): message for message in messages}.values())
