"""What a month is made with: written down the first time, taken from there when the month is made again."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from riskmodel.errors import InputRefused, UsageError
from riskmodel.explanation import MeasureLibrary
from riskmodel.io import Spec, parse_spec, read_yaml, write_json
from riskmodel.runs import CHAMPION, LoadedModel, load_model
from riskmodel.scoring import QUOTA_FLOOR, BeyondForecast, parse_quotas

FORMAT = 1
FILE = "month.json"
MODEL = f"county@{CHAMPION}"
MODEL_FIELDS = ("model", "run_id", "feature_set_hash", "ruleset")
LIST_FIELDS = ("visits", "random_share", "by", "quota", "floor", "beyond", "seed", "lang", "measures")
NO_SHEETS = "none"  # no sheet for each township or village


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
    quota
        As `riskmodel.scoring.parse_quotas` takes them; an empty one takes back those of before.
    measures
        The office's own measures; they are kept with the month, so that it can be made again.
    lang
        ``zh`` or ``en``, of list, report and ledger.
    """

    model: str | None = None
    visits: int | None = None
    random_share: float | None = None
    by: str | None = None
    quota: tuple[str, ...] | None = None
    floor: float | None = None
    beyond: BeyondForecast | None = None
    measures: MeasureLibrary | None = None
    seed: int | None = None
    lang: str | None = None


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
    visits: int = Field(ge=1)
    random_share: float = Field(default=0.05, ge=0, le=1)
    by: str = "township"
    quota: tuple[str, ...] = ()
    floor: float = Field(default=QUOTA_FLOOR, ge=0, le=1)
    beyond: BeyondForecast = "score"
    measures: MeasureLibrary | None = None
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
        own = {"worklist": LIST_FIELDS, "check": ("lang",), "ledger": ("lang",), "report": ("lang",)}.get(
            step, ()
        )
        names = ("as_of", *MODEL_FIELDS, "max_rejected", "snapshot_on", "pseudonymise", *own)
        values = self.model_dump(mode="json")
        return {name: values[name] for name in names}

    @property
    def reading(self) -> dict[str, Any]:
        """How the county's tables are read."""
        return {k: getattr(self, k) for k in ("max_rejected", "snapshot_on", "pseudonymise")}


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
    asked = {
        f.name: getattr(options, f.name) for f in fields(options) if getattr(options, f.name) is not None
    }
    if before is not None and "model" not in asked:
        return before.model_copy(update={**asked, **reading}), None
    if before is None and "visits" not in asked:
        raise UsageError("how many households can be visited this month? give --visits N")
    loaded = load_model(str(asked.pop("model", MODEL)), store)
    of_model: dict[str, Any] = {
        "model": f"{loaded.name}@{loaded.version}",
        "model_kind": loaded.kind,
        "run_id": loaded.run_id,
        "feature_set": loaded.feature_set.id,
        "feature_set_hash": loaded.feature_set.catalog_hash,
        "ruleset": loaded.ruleset.id,
    }
    if before is not None:
        return before.model_copy(update={**of_model, **asked, **reading}), loaded
    return MonthSettings(as_of=as_of, **of_model, **asked, **reading), loaded


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
