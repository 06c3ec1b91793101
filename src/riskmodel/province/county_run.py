"""One county of a province, in a process of its own: check, rules, features, scores, list.

Every step calls what the verb of its name calls, and writes what that verb writes.
"""

from __future__ import annotations

import re
import resource
import time
import traceback
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel import features, presentation, rules, scoring
from riskmodel.data import County, DataRefused, check_county
from riskmodel.errors import InputRefused, RiskmodelError
from riskmodel.features import FeatureSet
from riskmodel.households import KnownCounty, dates_outside_records, known_county
from riskmodel.io import Checkpoints, keep_office_file, read_table, write_table
from riskmodel.province.counties import CountySource
from riskmodel.rules import RuleSet
from riskmodel.runs import LoadedModel

STEP = "county"
RULES, FEATURES, LIST = "rules.parquet", "features.parquet", "worklist.xlsx"
LANGS = ("zh", "en")
# From so many digits on, a number may be somebody's: of a telephone, an identity card, an account.
_LONG_NUMBER = re.compile(r"[0-9]{7,}[0-9Xx]?")
_KIB_IN_MIB = 1024
DONE, KEPT, FAILED = "done", "kept", "failed"


@dataclass(frozen=True)
class ListOptions:
    """What the list of every county is asked for, as `riskmodel.scoring.build_worklist` takes it.

    Attributes
    ----------
    visits
        In each county, unless its own number stands in the list of counties; None for no list.
    random_share, by, quota, floor, beyond, seed
        As there.
    """

    visits: int | None = None
    random_share: float = 0.05
    by: str | None = "township"
    quota: tuple[str, ...] = ()
    floor: float = scoring.QUOTA_FLOOR
    beyond: scoring.BeyondForecast = scoring.BEYOND
    seed: int = 0


@dataclass(frozen=True)
class ProvinceSettings:
    """What every county is run with, resolved once: no county looks up a declaration or a model again.

    Attributes
    ----------
    as_of
        The day, ISO text.
    ruleset, params
        The rule set, and overrides of its parameters.
    feature_set
        The feature set.
    model
        The model that scores, its alias resolved to a version; None for rules and features alone.
    listing
        What the lists are asked for.
    lang
        Of the check and the list.
    reading
        ``max_rejected``, ``snapshot_on``, ``pseudonymise``.
    """

    as_of: str
    ruleset: RuleSet
    feature_set: FeatureSet
    params: Mapping[str, Any] = field(default_factory=dict)
    model: LoadedModel | None = None
    listing: ListOptions = field(default_factory=ListOptions)
    lang: str = "zh"
    reading: Mapping[str, Any] = field(default_factory=dict)

    @property
    def inputs(self) -> dict[str, Any]:
        """All that a county's files follow from beside its data, in plain values."""
        model = self.model
        return {
            "as_of": self.as_of,
            "ruleset": self.ruleset.model_dump(mode="json", by_alias=True),
            "params": dict(self.params),
            "feature_set": self.feature_set.model_dump(mode="json", by_alias=True),
            "model": None if model is None else [model.name, model.version, model.run_id],
            "list": None if model is None else vars(self.listing),
            "lang": self.lang,
            "reading": dict(self.reading),
        }


@dataclass(frozen=True)
class CountyTask:
    """One county to run.

    Attributes
    ----------
    source
        Where its tables stand.
    digest
        Of what they hold.
    out
        The county's own folder.
    settings
        Those of the province.
    """

    source: CountySource
    digest: str
    out: Path
    settings: ProvinceSettings

    @property
    def inputs(self) -> dict[str, Any]:
        """All that its files follow from."""
        return {"data": self.digest, "visits": self.source.visits, "settings": self.settings.inputs}

    @property
    def visits(self) -> int | None:
        """How many can be visited in this county."""
        return self.source.visits or self.settings.listing.visits

    def standing_record(self) -> dict[str, Any] | None:
        """Return the record of a run before, if it was made from the same and its files stand; else None."""
        steps = Checkpoints(self.out)
        found = steps.read(STEP) if steps.is_done(STEP, self.inputs) else None
        return {**found["told"], "files": found["files"], "state": KEPT} if found else None


def run_county(task: CountyTask) -> dict[str, Any]:
    """Run one county and write its files and its checkpoint.

    Parameters
    ----------
    task
        The county and what it is run with.

    Returns
    -------
    dict
        Its record in the manifest: ``county``, ``state`` (``done`` or ``failed``), ``digest`` of its data,
        ``files`` (name below the county's folder to SHA-256), ``figures``, ``warnings``, ``seconds``,
        ``peak_mib``, ``error``. Nothing is raised for a county that fails.
    """
    start = time.monotonic()
    steps = Checkpoints(task.out)
    try:
        _remove_earlier(steps)
        with task.source.opened() as data:
            paths, figures, warnings = _steps(task, data)
        told = _record(task, DONE, figures=figures, warnings=warnings, start=start)
        steps.write(STEP, task.inputs, paths, told)
        checkpoint = steps.read(STEP) or {"files": {}}
        return {**told, "files": checkpoint["files"]}
    except Exception as exc:
        return _record(task, FAILED, error=error_text(exc), start=start)


def failed_record(task: CountyTask, error: str) -> dict[str, Any]:
    """Return the record of a county whose process could not say itself what went wrong."""
    return _record(task, FAILED, error=error)


def _record(task: CountyTask, state: str, *, start: float | None = None, **said: Any) -> dict[str, Any]:
    seconds = None if start is None else round(time.monotonic() - start, 2)
    peak = None if start is None else round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIB_IN_MIB)
    plain: dict[str, Any] = {"figures": {}, "warnings": [], "error": None, "files": {}}
    return {
        "county": task.source.name,
        "state": state,
        "digest": task.digest,
        "data": str(task.source.data),
        "seconds": seconds,
        "peak_mib": peak,
        **plain,
        **said,
    }


def error_text(exc: Exception) -> str:
    """Return what a manifest may say of an error.

    What this package raises on purpose speaks of tables, columns and counts; any other message may hold a
    cell, so only its kind and place are said. Long numbers go in either case.

    Examples
    --------
    >>> error_text(InputRefused("income.csv: the cell 13800001111 is no amount"))
    'income.csv: the cell … is no amount'
    >>> error_text(KeyError("H0001 Wang"))
    'a fault of ours: KeyError'
    """
    if isinstance(exc, RiskmodelError):
        return _LONG_NUMBER.sub("…", str(exc))
    frames = [f for f in traceback.extract_tb(exc.__traceback__) if "riskmodel" in f.filename]
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"a fault of ours: {type(exc).__name__}{where}"


def _remove_earlier(steps: Checkpoints) -> None:
    """Remove what a run before made of other data or settings: a county that fails now leaves nothing old."""
    steps.remove_partial_files()
    if (before := steps.read(STEP)) is None:
        return
    steps.path(STEP).unlink()
    keep_office_file(steps.root / LIST)
    for name in before["files"]:
        (steps.root / name).unlink(missing_ok=True)


def _steps(task: CountyTask, data: Path) -> tuple[list[Path], dict[str, Any], list[str]]:
    """Take all steps of a county; return its files, its figures and what is to be warned of."""
    settings, out = task.settings, task.out
    county, figures = _check(settings, data, out)
    known = known_county(county, settings.as_of)
    warnings = dates_outside_records(county, known.as_of)
    if task.source.absent:
        warnings.append(f"no partition of {', '.join(task.source.absent)}: counted as absent")
    verdicts = rules.evaluate_rules(known, settings.ruleset, params=settings.params)
    _refuse_no_rows(verdicts, known, "verdict")
    dropped = rules.find_dropped(known, settings.ruleset, params=settings.params, verdicts=verdicts)
    paths = [write_table(rules.with_other_readings(verdicts, dropped), out / RULES, sheet="rules")]
    table = features.build_features(known, settings.feature_set)
    _refuse_no_rows(table, known, "features")
    paths.append(write_table(table, out / FEATURES, sheet="features"))
    figures |= verdict_figures(verdicts) | {"dropped": len(dropped)}
    if settings.model is not None:
        further, said, more = _score_and_list(task, county, known, verdicts, table)
        paths, figures, warnings = [*paths, *further], figures | said, [*warnings, *more]
    checked = [p for p in sorted((out / "check").rglob("*")) if p.is_file() and not p.name.startswith(".")]
    return [*checked, *paths], figures, warnings


def _check(settings: ProvinceSettings, data: Path, out: Path) -> tuple[County, dict[str, Any]]:
    """Check the tables; refuse what cannot be used."""
    summary, county = check_county(data, out / "check", lang=settings.lang, **settings.reading)
    if summary["refused"] or county is None:
        rejected = county.rejected if county else pd.DataFrame()
        raise DataRefused("; ".join(summary["refusals"]), rejected)
    rejected = county.rejected
    rows = rejected.groupby(["file", "row"]).ngroups if len(rejected) else 0
    rows_read = sum(table["read"] for table in summary["tables"].values())
    return county, {
        "data_through": county.data_through.isoformat(),
        "rows": rows_read,
        "rejected": rows,
    }


def _refuse_no_rows(frame: pd.DataFrame, known: KnownCounty, what: str) -> None:
    """Refuse an empty county: a wrong day, or a county looked up under a name that its rows have not."""
    if frame.empty:
        through = known.county.data_through
        raise InputRefused(
            f"no row of {what}: no household is known at {known.as_of} (data to {through}); give a later "
            "day, or look whether these are the county's tables"
        )


def _score_and_list(
    task: CountyTask, county: County, known: KnownCounty, verdicts: pd.DataFrame, table: pd.DataFrame
) -> tuple[list[Path], dict[str, Any], list[str]]:
    """Score in both languages and, where visits are said, list whom to visit."""
    settings, out, model = task.settings, task.out, task.settings.model
    assert model is not None
    scores = scoring.score_in_languages(known, model, langs=LANGS, verdicts=verdicts, feature_table=table)
    paths = [write_table(scores[lang], out / f"scores.{lang}.parquet", sheet="scores") for lang in LANGS]
    shown = scores[settings.lang]
    warnings = list(scoring.scoring_warnings(county, model, shown))
    in_cohort = shown["in_cohort"].astype(bool)
    figures: dict[str, Any] = {"expected": round(float(shown.loc[in_cohort, "probability"].sum()), 6)}
    if task.visits is None:
        return paths, figures, [*warnings, "no list: how many can be visited was not said (--visits)"]
    asked = settings.listing
    listed = scoring.build_worklist(
        read_table(out / f"scores.{settings.lang}.parquet"), visits=task.visits,
        random_share=asked.random_share, by=asked.by,  # type: ignore[arg-type]  # build_worklist checks it
        quota=list(asked.quota) or None, floor=asked.floor, beyond=asked.beyond, county=known,
        seed=asked.seed,
    )  # fmt: skip
    paths.append(presentation.write_worklist(listed, out / LIST, settings.lang))
    paths.append(write_table(listed.selection, out / "worklist-chances.csv"))
    paths.append(write_table(listed.listed, out / "worklist.parquet"))
    if len(listed.planned) < task.visits:
        warnings.append(f"{task.visits} visits, but only {len(listed.planned)} households to plan for")
    return paths, figures | {"listed": len(listed.listed), "planned": len(listed.planned)}, warnings


def verdict_figures(verdicts: pd.DataFrame) -> dict[str, Any]:
    """Return a county's figures from its verdicts.

    Parameters
    ----------
    verdicts
        From `riskmodel.rules.evaluate_rules`, of one day.

    Returns
    -------
    dict
        ``households``; ``flagged``; ``categories``, their households by category; ``unknown``, whose income
        per head is not known, and ``unknown_by_reason``; ``late`` whose records end before the last
        completed month, and ``lag_months_max``; ``doubtful`` with a doubt, and ``doubts`` by kind;
        ``depends``, whose verdict differs between the bounds of their income; ``incomplete``, whom late or
        doubtful records keep from being let go.
    """
    unknown = verdicts["pcni"].isna()
    reasons = verdicts.loc[unknown, "income_reason"].fillna("").map(str)
    lag = pd.to_numeric(verdicts["lag_months"], errors="coerce")
    doubts = Counter(d for text in verdicts["doubts"].fillna("").map(str) for d in text.split(";") if d)
    held = [rules.RECORDS_INCOMPLETE in str(text).split(";") for text in verdicts["unknown"].fillna("")]
    categories = verdicts["category"].dropna().astype(str)
    return {
        "households": len(verdicts),
        "flagged": int(verdicts["flagged"].fillna(False).astype(bool).sum()),
        "categories": _counts(categories[categories != ""]),
        "unknown": int(unknown.sum()),
        "unknown_by_reason": _counts(reasons),
        "late": int((lag > 0).sum()),
        "lag_months_max": int(lag.max()) if lag.notna().any() else 0,
        "doubtful": int((verdicts["doubts"].fillna("").map(str) != "").sum()),
        "doubts": dict(sorted(doubts.items())),
        "depends": int(verdicts["verdict_depends"].fillna(False).astype(bool).sum()),
        "incomplete": sum(held),
    }


def _counts(values: pd.Series) -> dict[str, int]:
    return {str(k): int(v) for k, v in sorted(Counter(values).items())}
