"""The verb of external validation: a registered model on counties that it was not trained on."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from riskmodel.cli.common import READING, STORE, JsonFlag, ReadingOptions, StoreOption, say, show, tell, verb
from riskmodel.i18n import spoken_language


@verb
def evaluate(
    data: Annotated[
        list[Path], typer.Argument(metavar="DATA...", help="Counties the model was not trained on, or later.")
    ],
    model: Annotated[str, typer.Option("--model", metavar="NAME@ALIAS", help="Such as county@champion.")],
    as_of: Annotated[
        list[str], typer.Option("--as-of", metavar="DATE", help="Repeatable; outcomes must be on record.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Figures, curves, case mix, evidence.")],
    recalibrate: Annotated[
        bool, typer.Option("--recalibrate", help="Register the recalibrated model as NAME@recalibrated.")
    ] = False,
    store: StoreOption = STORE,
    reading: ReadingOptions = READING,
    as_json: JsonFlag = False,
) -> None:
    """Judge a registered model on another county or a later time, exactly as it was trained."""
    from riskmodel import runs
    from riskmodel.errors import UsageError

    if recalibrate and len(data) > 1:
        raise UsageError("--recalibrate registers the model of one county: give one DATA")
    names = [path.name for path in data]
    if len(set(names)) < len(names):
        raise UsageError(f"counties are told apart by their folders' names; given: {', '.join(names)}")
    loaded = runs.load_model(model, store)
    validations, pooled = runs.validate_counties(
        loaded, [(path.name, partial(reading.read_county, path, out=out)) for path in data], as_of,
        store, say=say,
    )  # fmt: skip
    logged = {
        one.county: runs.log_validation(loaded, one, store, register=recalibrate) for one in validations
    }
    figures = _write_validations(loaded, store, validations, pooled, out)
    for one in validations:
        for note in one.notes:
            say(f"note: {one.county}: {note.text(spoken_language())}")
    if not as_json:
        for row in figures.to_dict("records"):
            show(
                "{county} {model}: AUC {auc:.3f} ({auc_low:.3f} to {auc_high:.3f}), expected/observed "
                "{expected_over_observed:.2f} ({expected_over_observed_low:.2f} to "
                "{expected_over_observed_high:.2f}), slope {calibration_slope:.2f}, {n_events} events of "
                "{n_test}".format(**row)
            )
    if recalibrate:
        say(f"registered: {loaded.name}@{runs.RECALIBRATED}, version {logged[validations[0].county][1]}")
    summary = {
        "model": loaded.name, "model_version": loaded.version, "kind": loaded.kind, "out": str(out),
        "runs": {name: run_id for name, (run_id, _) in logged.items()},
        "figures": figures.to_dict("records"), "pooled": pooled.to_dict("records"),
    }  # fmt: skip
    tell(summary, as_json)


def _write_validations(loaded: Any, store: Path, validations: Any, pooled: Any, out: Path) -> Any:
    """Write the tables of a validation; return the figures, a row a county and model."""
    import pandas as pd

    from riskmodel import runs
    from riskmodel.io import write_table

    tables = {
        name: pd.concat(
            [getattr(one, name).assign(county=one.county) for one in validations], ignore_index=True
        )
        for name in ("figures", "case_mix", "net_benefit")
    }
    facts = runs.validation_facts(loaded, runs.open_run(loaded.run_id, store), validations, pooled)
    for name, frame in (tables | {"pooled": pooled, "evidence": runs.guideline_evidence(facts)}).items():
        write_table(frame, out / f"{name}.csv")
    return tables["figures"]
