"""Months on disk: what each is made with, and the months gone by with the scores a household had in each.

Settings are written down the first time and taken from there when the month is made again.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import Field, field_validator

from riskmodel.errors import InputMissing, InputRefused, UsageError
from riskmodel.explanation import MeasureLibrary
from riskmodel.io import Checkpoints, Spec, inputs_digest, parse_spec, read_table, read_yaml, write_json
from riskmodel.rules import (
    Calendar,
    RelativeLine,
    RuleSet,
    absolute_line,
    available_rule_sets,
    load_rules,
    parameter_text,
    read_overrides,
)
from riskmodel.runs import CHAMPION, LoadedModel, load_model
from riskmodel.scoring import BEYOND, QUOTA_FLOOR, BeyondForecast, parse_quotas

FORMAT = 1
FILE = "month.json"
MODEL = f"county@{CHAMPION}"
RULE_FIELDS = ("ruleset", "ruleset_hash", "rules", "params", "line")
MODEL_FIELDS = ("model", "run_id", "feature_set_hash", *RULE_FIELDS)
RULE_OPTIONS = ("ruleset", "params", "line")
READING_FIELDS = ("max_rejected", "snapshot_on", "pseudonymise")
# The steps in order, each with the settings that it follows from beside as-of. How tables are read is asked
# by the check alone: later steps follow from what is known of them (`riskmodel.month.pipeline.READS`).
STEPS: Mapping[str, tuple[str, ...]] = {
    "check": (*READING_FIELDS, "lang"),
    "rules": RULE_FIELDS,
    "score": MODEL_FIELDS,
    "worklist": (
        *RULE_FIELDS,
        "visits",
        "random_share",
        "by",
        "quota",
        "floor",
        "beyond",
        "seed",
        "lang",
        "measures",
        "calendar",
        "split",
    ),
    "report": (*MODEL_FIELDS, "lang"),
    "ledger": ("lang",),
    "cases": (*RULE_FIELDS, "lang"),
}
NO_SHEETS = "none"  # no sheet or workbook for each township or village
OF_MODEL = "model"  # as a rule set: the one that the model was trained beside, with its parameters


@dataclass(frozen=True)
class MonthOptions:
    """What a month is asked for; None leaves what it was made with before, or the default.

    Parameters
    ----------
    model
        ``NAME@ALIAS``; the alias is resolved to a version once.
    visits, random_share, floor, beyond, seed
        As in `riskmodel.scoring.build_worklist`.
    by
        ``township`` or ``village``: a sheet for each; ``none``.
    split
        ``township``: a workbook for each as well, for those who visit; ``none``.
    quota
        As `riskmodel.scoring.parse_quotas` takes them; an empty one takes back those of before.
    measures
        The office's own measures; they are kept with the month, so that it can be made again.
    calendar
        Working days with the office's own holidays; kept in the same way.
    ruleset
        That judges, an id or the path of a YAML, which is kept with the month; ``model`` for the model's.
    params, line
        As `riskmodel.rules.read_overrides` takes them; with either all that was given before is replaced.
        Beside the model's rule set its own parameters hold where nothing is given.
    lang
        ``zh`` or ``en``, of list, report and ledger.
    """

    model: str | None = None
    visits: int | None = None
    random_share: float | None = None
    by: str | None = None
    split: str | None = None
    quota: tuple[str, ...] | None = None
    floor: float | None = None
    beyond: BeyondForecast | None = None
    measures: MeasureLibrary | None = None
    calendar: Calendar | None = None
    ruleset: str | None = None
    params: tuple[str, ...] | None = None
    line: tuple[str, ...] | None = None
    seed: int | None = None
    lang: str | None = None


@dataclass(frozen=True)
class RulesSaid:
    """Rules of a month as somebody says them in three fields; empty: nothing otherwise than declared.

    Parameters
    ----------
    ruleset
        Id, or ``model``.
    line
        Amounts, or ``YEAR=YUAN``, with spaces between.
    params
        ``NAME=VALUE`` or ``NAME@YEAR=VALUE``, with semicolons between.
    """

    ruleset: str = OF_MODEL
    line: str = ""
    params: str = ""

    @property
    def options(self) -> dict[str, Any]:
        """The same as `MonthOptions` take it."""
        lines = tuple(re.split(r"[\s;；]+", self.line.strip())) if self.line.strip() else ()
        params = tuple(part.strip() for part in re.split("[;；]", self.params) if part.strip())
        return {"ruleset": self.ruleset, "line": lines, "params": params}


class MonthSettings(Spec):
    """How a month is made, whole: with these and the rows known at as-of every file follows."""

    format: int = FORMAT
    as_of: dt.date
    model: str = Field(pattern=r"^.+@[0-9]+$")
    model_kind: str
    run_id: str
    feature_set: str
    feature_set_hash: str
    ruleset: str
    ruleset_hash: str = ""  # with parameters; months made before it was written down hold none
    rules: RuleSet | None = None  # where it is another than the model's, whole
    rules_asked: bool = False  # whether somebody asked for these rules; else they are the model's
    params: dict[str, str] | None = None  # all that are not as the set declares; None: of the model
    line: dict[str, float | str | None] = Field(default_factory=dict)  # by year, as far as it is looked at
    visits: int = Field(ge=1)
    random_share: float = Field(default=0.05, ge=0, le=1)
    by: str = "township"
    split: str = NO_SHEETS
    quota: tuple[str, ...] = ()
    floor: float = Field(default=QUOTA_FLOOR, ge=0, le=1)
    beyond: BeyondForecast = BEYOND
    measures: MeasureLibrary | None = None
    calendar: Calendar | None = None
    seed: int = Field(default=0, ge=0)
    lang: str = "zh"
    max_rejected: float = 0.05
    snapshot_on: str | None = None
    pseudonymise: bool = False

    @field_validator("quota", mode="before")
    @classmethod
    def _several(cls, given: object) -> object:
        # Months of the first format said one quota, or none.
        return () if given is None else (given,) if isinstance(given, str) else given

    def of(self, step: str) -> dict[str, Any]:
        """Return what one step's files depend on beside the data."""
        values = self.model_dump(mode="json")
        return {name: values[name] for name in ("as_of", *STEPS[step])}

    @property
    def rules_said(self) -> RulesSaid:
        """What was asked of its rules, as somebody would say it again."""
        if not self.rules_asked:
            return RulesSaid()
        given = dict(self.params or {})
        amounts: dict[int, Any] = {}
        packaged = self.ruleset in available_rule_sets()
        if declared := self.rules or (load_rules(self.ruleset) if packaged else None):
            line = declared.values(given).get(declared.line)
            if declared.line in given and not isinstance(line, RelativeLine):
                del given[declared.line]
                amounts = line if isinstance(line, dict) else {0: line}
        lines = [f"{year}={yuan:.12g}" if year else f"{yuan:.12g}" for year, yuan in amounts.items()]
        return RulesSaid(self.ruleset, " ".join(lines), "; ".join(f"{n}={v}" for n, v in given.items()))

    @property
    def reading(self) -> dict[str, Any]:
        """How the county's tables are read."""
        return {k: getattr(self, k) for k in READING_FIELDS}


def resolve_settings(
    out: Path, as_of: dt.date, options: MonthOptions, store: str | Path, **reading: Any
) -> tuple[MonthSettings, LoadedModel | None]:
    """Return the settings of a month: those it was made with before, changed only by what is asked now.

    A month that was made keeps its model's version although the champion may have changed since; asking
    for a model by name takes the one of today. The model is None where the month is on record and no other
    is asked for: it is then loaded when needed.
    """
    parse_quotas(options.quota)  # a wrong one is refused before anything is made
    before = read_settings(out)
    changes = {name: value for name, value in vars(options).items() if value is not None}
    asked = {name: changes.pop(name) for name in RULE_OPTIONS if name in changes}
    if before is None and "visits" not in changes:
        raise UsageError("how many households can be visited this month? give --visits N")
    loaded = None
    if before is None or "model" in changes:
        loaded = load_model(str(changes.get("model", MODEL)), store)
        changes |= {
            "model": f"{loaded.name}@{loaded.version}",
            "model_kind": loaded.kind,
            "run_id": loaded.run_id,
            "feature_set": loaded.feature_set.id,
            "feature_set_hash": loaded.feature_set.catalog_hash,
        }
    if loaded is not None or asked:
        loaded = loaded or load_model(before.model, store)  # type: ignore[union-attr]
        changes |= _rules(as_of, loaded, before, asked)
    changes |= reading
    settings = before.model_copy(update=changes) if before else MonthSettings(as_of=as_of, **changes)
    return settings, loaded


def _rules(
    as_of: dt.date, model: LoadedModel, before: MonthSettings | None, asked: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the rules of a month: what is asked for now, else what was before, else the model's."""
    own = model.ruleset
    kept = before if before is not None and before.rules_asked else None
    given = own if kept is None or kept.rules is None else kept.rules
    if named := asked.get("ruleset"):
        given = own if named in (OF_MODEL, own.id) else load_rules(named)
    base = dict(model.card["params"]) if given.id == own.id else {}
    if kept is not None and not asked:
        base = dict(kept.params or {})
    params = read_overrides(given, asked.get("params"), asked.get("line"), [as_of], base)
    texts = {name: parameter_text(value) for name, value in params.items()}
    declared = {"ruleset": given.model_dump(mode="json", by_alias=True), "params": texts}
    return {
        "ruleset": given.id,
        "ruleset_hash": inputs_digest(declared),
        "rules": None if given == own else given,
        "rules_asked": any(v != OF_MODEL for v in asked.values() if v) if asked else kept is not None,
        "params": texts,
        "line": _line_by_year(given, params, as_of),
    }


def _line_by_year(
    ruleset: RuleSet, params: Mapping[str, Any], as_of: dt.date
) -> dict[str, float | str | None]:
    """Return the line of the year before and of the year of a day; a relative one as it is declared."""
    relative, values = ruleset.relative_line(params), ruleset.values(params)
    years = (as_of.year - 1, as_of.year)
    return {
        str(year): parameter_text(relative) if relative else absolute_line(ruleset, values, year)
        for year in years
    }


def read_settings(out: Path) -> MonthSettings | None:
    """Return the settings a month was made with, or None; refuse a record that cannot be read."""
    path = out / FILE
    if not path.is_file():
        return None
    content = read_yaml(path)  # JSON is YAML, and the error names the line
    if isinstance(content, dict) and content.get("format") != FORMAT:
        raise InputRefused(f"{path}: format {content.get('format')!r} is not {FORMAT}; make the month anew")
    return parse_spec(content, MonthSettings, path)


def write_settings(settings: MonthSettings, out: Path) -> Path:
    """Write the settings of a month."""
    return write_json(settings.model_dump(mode="json"), out / FILE)


def score_file(lang: str) -> str:
    """Return where the scores in one language stand below the month's folder."""
    return f"scores.{lang}.parquet"


MADE_BY = (
    "model", "model_kind", "run_id", "feature_set", "feature_set_hash", "ruleset", "visits", "random_share",
    "quota", "floor", "beyond", "seed",
)  # fmt: skip


def list_months(out: str | Path) -> pd.DataFrame:
    """Return what made each month.

    Parameters
    ----------
    out
        The folder of all months.

    Returns
    -------
    DataFrame
        One row a month: ``as_of``, `MADE_BY`, ``line`` (of its year), ``params``, ``data_fingerprint`` (of
        the rows known then), ``households, flagged, planned``, ``complete`` (every step is done and
        untouched).

    Raises
    ------
    InputMissing
        If there is no month.
    """
    rows = []
    for folder in _folders(Path(out)):
        month = read_settings(folder)
        if month is None:
            continue
        steps = Checkpoints(folder)
        results = {name: steps.result(name) for name in STEPS if steps.read(name)}
        scores, worklist = results.get("score", {}), results.get("worklist", {})
        complete = set(results) == set(STEPS) and not any(map(steps.changed_files, STEPS))
        rows.append(
            {
                "as_of": month.as_of.isoformat(),
                **{name: getattr(month, name) for name in MADE_BY},
                "quota": ", ".join(month.quota),
                "line": month.line.get(str(month.as_of.year)),
                "params": "; ".join(f"{name}={value}" for name, value in (month.params or {}).items()),
                "data_fingerprint": scores.get("data_fingerprint"),
                "households": scores.get("households"),
                "flagged": scores.get("flagged"),
                "planned": worklist.get("planned"),
                "complete": complete,
            }
        )
    if not rows:
        raise InputMissing(f"no month in {out}; make one with riskmodel month DATA --as-of DATE --visits N")
    return pd.DataFrame(rows)


def scores_by_month(
    out: str | Path, households: Sequence[str] | None = None, lang: str = "zh", columns: Sequence[str] = ()
) -> pd.DataFrame:
    """Return the scores of every month, as they were made then.

    Parameters
    ----------
    out
        The folder of all months.
    households
        Only these ids; all by default.
    lang
        Of the reasons: ``zh`` or ``en``.
    columns
        Only these columns; all by default.

    Returns
    -------
    DataFrame
        The contract's Scores columns, month after month: each row says which model version, training run,
        feature set, rule set and data (fingerprint) made it.

    Raises
    ------
    InputMissing
        If there is no month with scores.
    InputRefused
        If a month's scores are not the file that was made: they would be quoted under a wrong name.
    """
    parts = []
    for folder in _folders(Path(out)):
        if Checkpoints(folder).read("score") is None:
            continue
        frame = read_month_scores(folder, lang)
        parts.append(frame if households is None else frame[frame["household_id"].isin(list(households))])
    if not parts:
        raise InputMissing(f"no month with scores in {out}; make one with riskmodel month DATA --as-of DATE")
    scores = pd.concat(parts, ignore_index=True)
    return scores[list(columns)] if columns else scores


def past_scores(out: str | Path, model: str, before: dt.date) -> list[pd.DataFrame]:
    """Return the scores of earlier months by any version of a model, with who was on the list.

    Parameters
    ----------
    out
        The folder of all months.
    model
        Registered name.
    before
        Only months whose as-of date is earlier.

    Returns
    -------
    list of DataFrame
        One a month in which the model spoke: ``household_id, as_of, probability, listed``.
    """
    parts = []
    for folder in _folders(Path(out)):
        month = read_settings(folder)
        complete = all(Checkpoints(folder).read(step) is not None for step in ("worklist", "score"))
        if month is None or not complete or month.as_of >= before or month.model.partition("@")[0] != model:
            continue
        scores = read_month_scores(folder)[["household_id", "as_of", "probability"]]
        scores = scores.dropna(subset=["probability"])  # of a month in which the model was silent: nothing
        worklist = read_table(folder / "worklist.parquet")
        planned = set(worklist.loc[worklist["planned"], "household_id"])
        if len(scores):
            parts.append(scores.assign(listed=scores["household_id"].isin(planned)))
    return parts


def read_month_scores(folder: Path, lang: str = "zh") -> pd.DataFrame:
    """Return one month's scores; refuse a file that is not the one that was made."""
    name = score_file(lang)
    if name in Checkpoints(folder).changed_files("score"):
        raise InputRefused(
            f"{folder / name} is not the file that was made; make the month again: riskmodel month DATA "
            f"--as-of {folder.name}"
        )
    return read_table(folder / name)


def _folders(out: Path) -> list[Path]:
    return sorted(p for p in out.iterdir() if (p / FILE).is_file()) if out.is_dir() else []
