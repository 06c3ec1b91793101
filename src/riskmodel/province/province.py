"""Run a province: every county by itself, one manifest, one summary; what stands from before is kept."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from riskmodel import features, rules
from riskmodel.data import MAX_REJECTED
from riskmodel.errors import UsageError
from riskmodel.households import DateLike, to_date
from riskmodel.i18n import LANGUAGES, both, counted, text
from riskmodel.io import write_json
from riskmodel.presentation import Column, Row, Table, open_workbook
from riskmodel.province.counties import CountySource, find_counties
from riskmodel.province.county_run import FAILED, KEPT, CountyTask, ListOptions, ProvinceSettings
from riskmodel.province.engines import ENGINES, Engine, Limits, Record, check_spark
from riskmodel.runs import load_model
from riskmodel.version import __version__

_LOG = logging.getLogger(__name__)
FORMAT = 1
MANIFEST = "manifest.json"
COUNTIES = "counties"  # the folder in OUT with a folder a county
WAITING = "waiting"
# Sums of households or rows; the largest; and what is broken down by a reason.
SUMS = (
    "households", "flagged", "unknown", "late", "doubtful", "depends", "incomplete", "dropped", "rows",
    "rejected", "listed", "planned", "expected",
)  # fmt: skip
LARGEST = "lag_months_max"
BY_REASON = {"unknown_by_reason": "unknown", "doubts": "doubtful"}
COLUMNS = (
    "households", "flagged", "unknown", "late", "lag_months_max", "doubtful", "depends", "incomplete",
    "dropped", "listed", "planned", "expected", "rows", "rejected", "data_through",
)  # fmt: skip
READING = {"max_rejected": MAX_REJECTED, "snapshot_on": None, "pseudonymise": False}
FEATURE_SET, RULESET = "household-v1", "national-2021"


@dataclass(frozen=True)
class Province:
    """A province as it stands after a run.

    Attributes
    ----------
    out
        Its folder.
    records
        One a county, by name: see `riskmodel.province.run_county`.
    totals
        The figures of all counties that stand, added up.
    seconds
        Of this run.
    """

    out: Path
    records: tuple[Record, ...]
    totals: dict[str, Any]
    seconds: float

    @property
    def failed(self) -> list[Record]:
        """The counties that failed."""
        return [record for record in self.records if record["state"] == FAILED]

    @property
    def summary(self) -> dict[str, Any]:
        """What a verb prints."""
        states = [record["state"] for record in self.records]
        return {
            "out": str(self.out),
            "manifest": str(self.out / MANIFEST),
            "counties": len(states),
            "done": states.count("done"),
            "kept": states.count(KEPT),
            "failed": {record["county"]: record["error"] for record in self.failed},
            "seconds": round(self.seconds, 1),
            **self.totals,
        }


def run_province(
    counties: str | Path,
    as_of: DateLike,
    out: str | Path,
    *,
    model: str | None = None,
    store: str | Path | None = None,
    feature_set: str | Path | None = None,
    ruleset: str | Path | None = None,
    param: Sequence[str] | None = None,
    line: Sequence[str] | None = None,
    listing: ListOptions | None = None,
    engine: Engine = "local",
    jobs: int = 1,
    memory: str | None = None,
    threads: int | None = None,
    lang: str = "zh",
    say: Callable[[str], None] | None = None,
    **reading: Any,
) -> Province:
    """Check, judge, build features, score and list every county of a province, each by itself.

    A county that was run before from the same data, settings and version, and whose files stand, is kept. One
    that fails is named and leaves the others alone.

    Parameters
    ----------
    counties
        As `riskmodel.province.find_counties` takes them.
    as_of
        The day, a date or ISO text.
    out
        The province's folder; each county's files go into ``counties/NAME``.
    model, store
        ``NAME@ALIAS`` and MLflow's SQLite file: the alias is resolved once, features and rules are the
        model's. Without a model nothing is scored or listed.
    feature_set, ruleset
        Where there is no model: ids or files; ``household-v1`` and ``national-2021`` by default.
    param, line
        Of that rule set, as `riskmodel.rules.read_overrides` takes them.
    listing
        What the lists are asked for.
    engine
        ``local`` (processes of this machine) or ``spark``.
    jobs
        Counties at once.
    memory, threads
        Of each county's process: see `riskmodel.io.limit_resources`. By default an equal share.
    lang
        Of checks and lists; the summary is in both languages.
    say
        Is given a line of text on each county; the log by default.
    **reading
        ``max_rejected``, ``snapshot_on``, ``pseudonymise``, as `riskmodel.data.read_county` takes them.

    Returns
    -------
    Province
        The counties' records and the totals. It is the caller's to look at ``failed``.

    Raises
    ------
    InputRefused
        If there is no county, or two of one name.
    UsageError
        If the model, a declaration, the day or the engine makes no sense here.
    """
    start, say = time.monotonic(), say or _LOG.info
    folder, sources = Path(out), find_counties(counties)
    _refuse_nested(folder, Path(counties))
    if engine not in ENGINES:
        raise UsageError(f"engine {engine!r} is unknown; allowed: {', '.join(ENGINES)}")
    if engine == "spark":
        check_spark()
    if jobs < 1:
        raise UsageError(f"jobs {jobs}: at least 1")
    said = (feature_set, ruleset, param, line)
    settings = _settings(as_of, model, store, said, listing or ListOptions(), lang, reading)
    tasks = [_task(source, folder, settings) for source in sources]
    records: dict[str, Record] = {}
    for task in tasks:
        if (record := task.standing_record()) is not None:
            records[task.source.name] = record
    waiting = [task for task in tasks if task.source.name not in records]
    say(f"{counted(len(tasks), 'county', 'counties')}: {len(records)} kept, {len(waiting)} to run ({engine})")

    def report(record: Record) -> None:
        records[record["county"]] = record
        _write_manifest(folder, settings, tasks, records)
        error = f": {record['error']}" if record["state"] == FAILED else f", {record['seconds']:.1f} s"
        say(f"{len(records)}/{len(tasks)} {record['county']}: {record['state']}{error}")

    _write_manifest(folder, settings, tasks, records)
    if waiting:
        ENGINES[engine](waiting, min(jobs, len(waiting)), Limits(memory, threads), report)
    ordered = tuple(records[task.source.name] for task in tasks)
    totals = write_summary(ordered, folder, settings.as_of)
    return Province(folder, ordered, totals, time.monotonic() - start)


def _refuse_nested(out: Path, counties: Path) -> None:
    inside = out.absolute() == counties.absolute() or counties.absolute() in out.absolute().parents
    if counties.is_dir() and inside:
        raise UsageError(f"{out}: stands among the counties and would be read as one; write elsewhere")


def _settings(
    as_of: DateLike,
    model: str | None,
    store: str | Path | None,
    said: tuple[str | Path | None, str | Path | None, Sequence[str] | None, Sequence[str] | None],
    listing: ListOptions,
    lang: str,
    reading: dict[str, Any],
) -> ProvinceSettings:
    """Resolve day, model and declarations once, for all counties."""
    day = to_date(as_of).isoformat()
    reading = READING | reading
    if model is None and listing.visits is not None:
        raise UsageError("visits are listed by a model's scores: give --model, or leave --visits out")
    feature_set, ruleset, param, line = said
    if model is None:
        chosen = rules.load_rules(ruleset or RULESET)
        return ProvinceSettings(
            as_of=day,
            ruleset=chosen,
            params=rules.read_overrides(chosen, param, line, [to_date(as_of)]),
            feature_set=features.load_feature_set(feature_set or FEATURE_SET),
            listing=listing,
            lang=lang,
            reading=reading,
        )
    if any(said):
        raise UsageError(
            "a model brings its own features and rules: give --model, or --feature-set, --ruleset, --line "
            "and --param"
        )
    if store is None:
        raise UsageError(f"model {model}: in which store?")
    loaded = load_model(model, store)
    return ProvinceSettings(
        as_of=day,
        ruleset=loaded.ruleset,
        feature_set=loaded.feature_set,
        params=dict(loaded.card["params"]),
        model=loaded,
        listing=listing,
        lang=lang,
        reading=reading,
    )


def _task(source: CountySource, out: Path, settings: ProvinceSettings) -> CountyTask:
    return CountyTask(source, source.digest, (out / COUNTIES / source.name).absolute(), settings)


def _write_manifest(
    out: Path, settings: ProvinceSettings, tasks: list[CountyTask], records: dict[str, Record]
) -> None:
    """Write the manifest; it is renewed as each county ends, so that a run that is killed leaves one."""
    model = settings.model
    content = {
        "format": FORMAT,
        "version": __version__,
        "as_of": settings.as_of,
        "model": None if model is None else f"{model.name}@{model.version}",
        "run_id": None if model is None else model.run_id,
        "feature_set": settings.feature_set.id,
        "feature_set_hash": settings.feature_set.catalog_hash,
        "ruleset": settings.ruleset.id,
        "params": {name: rules.parameter_text(value) for name, value in settings.params.items()},
        "list": None if model is None else vars(settings.listing),
        "reading": dict(settings.reading),
        "counties": [
            records.get(task.source.name)
            or {"county": task.source.name, "state": WAITING, "digest": task.digest}
            for task in tasks
        ],
    }
    write_json(content, out / MANIFEST)


def province_totals(records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the figures of the counties that stand, added up.

    Parameters
    ----------
    records
        As `riskmodel.province.run_county` returns them; those that failed have no figures.

    Returns
    -------
    dict
        The sums; the largest lag; ``unknown_by_reason`` and ``doubts``, households by reason, and
        ``categories``. What no county has (a list, where none was asked for) is left out.

    Examples
    --------
    >>> province_totals([{"figures": {"households": 3, "flagged": 1}}, {"figures": {"households": 4}}])
    {'households': 7, 'flagged': 1}
    """
    figures = [record["figures"] for record in records if record["figures"]]
    out: dict[str, Any] = {}
    for name in SUMS:
        values = [f[name] for f in figures if name in f]
        if values:
            out[name] = round(sum(values), 6)
    if lags := [f[LARGEST] for f in figures if LARGEST in f]:
        out[LARGEST] = max(lags)
    for name in (*BY_REASON, "categories"):
        counts: Counter[str] = Counter()
        for f in figures:
            counts.update(f.get(name, {}))
        if counts:
            out[name] = dict(sorted(counts.items()))
    return out


def write_summary(records: Sequence[Mapping[str, Any]], out: Path, as_of: str) -> dict[str, Any]:
    """Write ``summary.json``, and ``summary.LANG.csv`` and ``summary.LANG.xlsx`` in both languages.

    Parameters
    ----------
    records
        One a county, as `riskmodel.province.run_county` returns them.
    out
        The province's folder.
    as_of
        The day, ISO text.

    Returns
    -------
    dict
        `province_totals`.
    """
    totals = province_totals(records)
    stand = sum(bool(record["figures"]) for record in records)
    content = {
        "format": FORMAT,
        "as_of": as_of,
        "counties": len(records),
        "counties_that_stand": stand,
        "totals": totals,
        "by_county": [
            {k: record[k] for k in ("county", "state", "error")} | {"figures": record["figures"]}
            for record in records
        ],
        "words": _words(totals),
    }
    write_json(content, out / "summary.json")
    table = _table(records, totals, stand, as_of)
    for lang in LANGUAGES:
        table.to_csv(out / f"summary.{lang}.csv", lang)
        with open_workbook(out / f"summary.{lang}.xlsx", lang, to_date(as_of)) as book:
            table.to_sheet(book)
    return totals


def _words(totals: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return what the names in the JSON mean, in both languages."""
    named = {name: both(f"province.columns.{name}") for name in ("county", "state", *COLUMNS)}
    for name in BY_REASON:
        named |= {why: _reason(why) for why in totals.get(name, {})}
    return named


def _reason(why: str) -> dict[str, str]:
    """Return a reason in words; one that the catalogue does not know keeps its name."""
    said = {lang: rules.name_reasons(why, lang) for lang in LANGUAGES}
    return {
        lang: "；".join(names) if names and lang == "zh" else "; ".join(names) or why
        for lang, names in said.items()
    }


def _table(records: Sequence[Mapping[str, Any]], totals: Mapping[str, Any], stand: int, as_of: str) -> Table:
    reasons = [(name, why) for name in BY_REASON for why in totals.get(name, {})]
    columns = [
        Column(both("province.columns.county"), "label", "county"),
        Column(both("province.columns.state"), "label", "state"),
        *(Column(both(f"province.columns.{c}"), _kind(c), c) for c in COLUMNS),
        *(
            Column(_reason(why), "count", f"{BY_REASON[name]}: {why}", both(f"province.columns.{name}"))
            for name, why in reasons
        ),
        Column(both("province.columns.error"), "wrap", "error", width=60),
    ]
    rows = [
        Row(
            [
                record["county"],
                both(f"province.states.{record['state']}"),
                *_cells(record["figures"], reasons),
                record["error"],
            ],
            "alarm" if record["state"] == "failed" else "",
        )
        for record in records
    ]
    whole = both("province.whole", n=stand, of=len(records))
    rows.append(Row([both("province.province"), whole, *_cells(totals, reasons), None], "total"))
    title = both("province.title", as_of=as_of)
    notes = [both("province.note"), both("province.reasons_note")]
    return Table(columns, rows, title=title, sheet=text("province.sheet", "zh"), notes=notes, labels=1)


def _kind(column: str) -> Any:
    return {"expected": "number", "data_through": "date", LARGEST: "integer"}.get(column, "count")


def _cells(figures: Mapping[str, Any], reasons: Sequence[tuple[str, str]]) -> list[Any]:
    """Return a row's cells; a county that failed has none, a reason that does not occur counts as 0."""
    if not figures:
        return [None] * (len(COLUMNS) + len(reasons))
    cells = [_day(figures[c]) if c == "data_through" and c in figures else figures.get(c) for c in COLUMNS]
    return [*cells, *(figures.get(name, {}).get(why, 0) for name, why in reasons)]


def _day(text: str) -> Any:
    return to_date(text)
