"""Verbs that look ahead: forecasts and stress."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riskmodel.cli.common import (
    STORE,
    AsOfOption,
    DataArgument,
    JsonFlag,
    LangOption,
    MaxRejected,
    Pseudonymise,
    SnapshotOption,
    StoreOption,
    read_county,
    say,
    tell,
    verb,
)

if TYPE_CHECKING:
    import pandas as pd

    from riskmodel.forecast import Outlook, Stress

STRESS_FORMAT = 1

OutOption = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write to.")]
RulesetOption = Annotated[str, typer.Option("--ruleset", metavar="ID", help="Whose line is used.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Chooses villages and draws.")]


@verb
def forecast(
    data: DataArgument,
    as_of: AsOfOption,
    out: OutOption,
    horizon: Annotated[int, typer.Option("--horizon", metavar="MONTHS", help="Months ahead, 1 to 12.")] = 12,
    ruleset: RulesetOption = "national-2021",
    known: Annotated[
        Path | None,
        typer.Option(
            "--known", metavar="FILE", help="Series known ahead: month and numbers, for the counts."
        ),
    ] = None,
    seed: SeedOption = 0,
    lang: LangOption = "zh",
    store: StoreOption = STORE,
    max_rejected: MaxRejected = 0.05,
    snapshot_on: SnapshotOption = None,
    pseudonymise: Pseudonymise = False,
    as_json: JsonFlag = False,
) -> None:
    """Forecast household income and county counts, with intervals, and say where trouble gathers."""
    from riskmodel import forecast as ahead
    from riskmodel import report
    from riskmodel.asof import fingerprint, to_date
    from riskmodel.files import read_table

    to_date(as_of)
    ahead.check_horizon(horizon)
    series = read_table(known) if known else None
    county = read_county(
        data,
        out=out,
        snapshot_on=snapshot_on,
        max_rejected=max_rejected,
        pseudonymise=pseudonymise,
        as_of=as_of,
    )
    made = ahead.build(county, as_of, horizon, ruleset, seed=seed, exogenous=series, progress=say)
    for note in made.notes:
        say(f"note: {note}")
    page = report.write_outlook(made, out, lang)
    given = {"ruleset": ruleset, "seed": seed, "data_fingerprint": fingerprint(county, made.as_of)}
    summary = summarise(made)
    run = log(made, store, given | summary)
    tell({"out": str(out), "page": str(page), "run_id": run, **summary}, as_json)


def summarise(made: Outlook) -> dict[str, Any]:
    """Return what an outlook says in a few numbers."""
    t = made.townships
    county = t[(t["township"] == "all") & (t["cause"] == "all") & (t["measure"] == "households")]
    below = {
        r["horizon_months"]: {"mean": round(r["mean"], 1), "low_80": r["low_80"], "high_80": r["high_80"]}
        for r in county.to_dict("records")
    }
    new = made.counts
    expected = float(new.loc[new["level"] == "county", "mean"].sum()) if len(new) else None
    return {
        "as_of": str(made.as_of),
        "horizon": made.horizon,
        "households": len(made.households.standing),
        "methods": {h: found.chosen for h, found in made.households.learned.items()},
        "below_line": below,
        "count_method": made.method,
        "newly_monitored": expected,
        "alarms": int(made.warnings["alarm"].sum()) if len(made.warnings) else 0,
        "notes": list(made.notes),
    }


def log(made: Outlook, store: Path, params: dict[str, Any]) -> str:
    """Log an outlook to MLflow: parameters, accuracy, county tables; no household is in it."""
    from riskmodel import tracking

    metrics = {
        f"crps_{h}_{r['method']}": r["crps"]
        for h, found in made.households.learned.items()
        for r in found.selection.to_dict("records")
    }
    if made.backtest is not None and len(made.backtest.table):
        county = made.backtest.table[made.backtest.table["level"] == "county"]
        metrics |= {f"mase_{r['method']}": r["mase"] for r in county.to_dict("records")}
    with tracking.start("forecast", store, f"forecast {made.as_of}") as run:
        run.params(params)
        run.metrics(metrics)
        for name, table in made.tables.items():
            if name != "households":
                run.table(table, f"forecast/{name}")
    return run.run_id


@verb
def stress(
    data: DataArgument,
    as_of: AsOfOption,
    out: OutOption,
    scenario: Annotated[
        list[str],
        typer.Option("--scenario", metavar="NAME|FILE", help="Declared id, or a .yaml; may repeat."),
    ],
    ruleset: RulesetOption = "national-2021",
    seed: SeedOption = 0,
    draws: Annotated[int, typer.Option("--draws", min=50, help="Drawn years.")] = 400,
    store: StoreOption = STORE,
    max_rejected: MaxRejected = 0.05,
    snapshot_on: SnapshotOption = None,
    pseudonymise: Pseudonymise = False,
    as_json: JsonFlag = False,
) -> None:
    """Say who falls below the line within a year if a scenario comes true, and what closing the gap costs."""
    from riskmodel import forecast as ahead
    from riskmodel.asof import fingerprint, to_date
    from riskmodel.files import write_json, write_table

    to_date(as_of)
    wanted = [ahead.read_scenario(name) for name in scenario]
    county = read_county(
        data,
        out=out,
        snapshot_on=snapshot_on,
        max_rejected=max_rejected,
        pseudonymise=pseudonymise,
        as_of=as_of,
    )
    say("households: income per head 12 months ahead")
    homes = ahead.households(county, as_of, (12,), ruleset, seed=seed)
    given = {
        "as_of": str(homes.as_of),
        "horizon": max(homes.lines),
        "line": homes.lines[max(homes.lines)],
        "ruleset": ruleset,
        "seed": seed,
        "draws": draws,
        "data_fingerprint": fingerprint(county, homes.as_of),
    }
    answers: dict[str, Any] = {}
    for each in wanted:
        say(f"scenario {each.id}: {each.name_en}")
        found = ahead.stress_test(county, homes, each, draws=draws, seed=seed)
        write_table(_dated(found.table, found), out / f"{each.id}.csv")
        write_table(_dated(found.losses, found), out / f"{each.id}-losses.parquet")
        answers[each.id] = _answer(found)
        answers[each.id]["run_id"] = _log_stress(found, store, given)
    declared = {each.id: each.model_dump(mode="json") for each in wanted}
    write_json(
        {"format": STRESS_FORMAT, **given, "declared": declared, "scenarios": answers}, out / "stress.json"
    )
    tell({"out": str(out), **given, "scenarios": answers}, as_json)


def _dated(table: pd.DataFrame, found: Stress) -> pd.DataFrame:
    """Return a table that says of which scenario and day it is, wherever it is carried."""
    return table.assign(scenario=found.scenario.id, as_of=str(found.as_of))


def _answer(found: Stress) -> dict[str, Any]:
    """Return the county's totals of a scenario: without, with, and what it adds."""
    t = found.table[(found.table["township"] == "all") & (found.table["cause"] == "all")]
    return {
        f"{r['what']}_{r['measure']}": {k: round(r[k], 1) for k in ("mean", "low_95", "high_95")}
        for r in t.to_dict("records")
    }


def _log_stress(found: Stress, store: Path, params: dict[str, Any]) -> str:
    from riskmodel import tracking

    with tracking.start("stress", store, found.scenario.id) as run:
        run.params({**params, "scenario": found.scenario.model_dump(mode="json")})
        run.metrics({name: value["mean"] for name, value in _answer(found).items()})
        run.table(found.table, "stress/table")
    return run.run_id
