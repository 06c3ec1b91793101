"""Verbs of forecasts and stress tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riskmodel.cli.common import (
    READING,
    STORE,
    AsOfOption,
    DataArgument,
    JsonFlag,
    LangOption,
    LineOption,
    ParamOption,
    ReadingOptions,
    StoreOption,
    say,
    tell,
    verb,
)
from riskmodel.i18n import pair, spoken_language

if TYPE_CHECKING:
    import datetime as dt

    import pandas as pd

    from riskmodel.data import County
    from riskmodel.forecasting import Evaluation, Outlook, Stress
    from riskmodel.rules import RuleSet

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
    param: ParamOption = None,
    line: LineOption = None,
    known: Annotated[
        Path | None,
        typer.Option(
            "--known", metavar="FILE", help="Series known ahead: month and numbers, for the counts."
        ),
    ] = None,
    check: Annotated[
        list[str] | None,
        typer.Option("--check", metavar="DATE", help="Forecast from this past day too, and compare."),
    ] = None,
    seed: SeedOption = 0,
    lang: LangOption = "zh",
    store: StoreOption = STORE,
    reading: ReadingOptions = READING,
    as_json: JsonFlag = False,
) -> None:
    """Forecast household income and county counts, with intervals, and say where trouble gathers."""
    from riskmodel import forecasting as ahead
    from riskmodel import presentation
    from riskmodel.households import fingerprint, to_date
    from riskmodel.io import read_table

    day, past = to_date(as_of), [to_date(d) for d in check or ()]
    ahead.check_horizon(horizon)
    chosen, said = _rules(ruleset, param, line)
    series = read_table(known) if known else None
    county = reading.read_county(data, out=out, as_of=(*past, day))
    tested = _checked(county, past, day, horizon, chosen, seed, out) if past else None
    outlook = ahead.forecast(county, day, horizon, chosen, seed=seed, exogenous=series, progress=say)
    for note in outlook.notes:
        say(f"note: {note.text(spoken_language())}")
    page = presentation.write_forecast(outlook, out, lang)
    settings = {**said, "seed": seed, "data_fingerprint": fingerprint(county, outlook.as_of)}
    summary = summarise(outlook) | ({"checked": _covered(tested.table)} if tested else {})
    run = log(outlook, store, settings | summary, tested)
    if not as_json:
        summary["notes"] = [note.text(spoken_language()) for note in outlook.notes]
    tell({"out": str(out), "page": str(page), "run_id": run, **summary}, as_json)


def _rules(ruleset: str, param: list[str] | None, line: list[str] | None) -> tuple[RuleSet, dict[str, Any]]:
    """Return the rule set whose line holds, with what was said of it, and that for the log."""
    from riskmodel.rules import load_rules, parameter_text, read_overrides

    declared = load_rules(ruleset)
    params = read_overrides(declared, param, line)  # a forecast looks at years to come as well
    said: dict[str, Any] = {"ruleset": ruleset}
    if params:
        said["params"] = "; ".join(f"{name}={parameter_text(value)}" for name, value in params.items())
    return declared.with_values(params), said


def _checked(
    county: County, past: list[dt.date], day: dt.date, horizon: int, ruleset: RuleSet, seed: int, out: Path
) -> Evaluation:
    """Forecast households from past days, compare with what is known by as-of, and write what came of it."""
    from riskmodel import forecasting as ahead
    from riskmodel.io import write_table

    say(f"households: forecast from {', '.join(map(str, past))} first, held against what came")
    ahead.check_past(county, past, day, horizon)
    evaluation = ahead.evaluate_household_forecasts(
        county, past, ahead.horizons(horizon), ruleset, known_by=day, seed=seed
    )
    write_table(evaluation.table, out / "evaluation.csv")
    write_table(evaluation.coverage, out / "evaluation-coverage.csv")
    return evaluation


def _covered(table: pd.DataFrame) -> dict[str, Any]:
    """Return coverage and Brier scores by horizon and method."""
    names = ["coverage_80", "coverage_95", "brier", "brier_classifier"]
    return {
        f"{r['horizon_months']} {r['method']}": {n: round(r[n], 4) for n in names}
        for r in table.to_dict("records")
    }


def summarise(outlook: Outlook) -> dict[str, Any]:
    """Return what an outlook says in a few numbers."""
    t = outlook.townships
    county = t[(t["township"] == "all") & (t["cause"] == "all") & (t["measure"] == "households")]
    below = {
        r["horizon_months"]: {k: round(r[k], 1) for k in ("mean", "low_80", "high_80")}
        for r in county.to_dict("records")
    }
    new = outlook.counts
    expected = float(new.loc[new["level"] == "county", "mean"].sum()) if len(new) else None
    used = outlook.methods[outlook.methods["chosen"].astype(bool)].set_index("horizon_months")
    classifier = (
        outlook.classifier.set_index("horizon_months") if len(outlook.classifier) else outlook.classifier
    )
    return {
        "as_of": str(outlook.as_of),
        "horizon": outlook.horizon,
        "households": len(outlook.households.standing),
        "methods": {h: method.chosen for h, method in outlook.households.learned.items()},
        "below_line": below,
        "coverage_on_past_days": {h: [round(r["coverage_80"], 3), round(r["coverage_95"], 3)]
                                  for h, r in used.iterrows()},
        "brier_on_past_days": {h: {k: round(r[k], 4) for k in ("distribution", "classifier")}
                               for h, r in classifier.iterrows()},
        "count_method": outlook.method,
        "count_choice": str(outlook.backtest.choice) if outlook.backtest is not None else "",
        "newly_monitored": None if expected is None else round(expected, 2),
        "alarms": int(outlook.warnings["alarm"].sum()) if len(outlook.warnings) else 0,
        "notes": [note.text("en") for note in outlook.notes],
    }  # fmt: skip


SCORES = ("crps", "pinball_10", "pinball_50", "pinball_90", "coverage_80", "coverage_95", "brier")
COUNT_SCORES = ("mase", "coverage_80", "coverage_95", "dm_p_holm")


def _metrics(outlook: Outlook) -> dict[str, float]:
    """Return how good the methods were on past days, by horizon and method."""
    out = {
        f"{score}_{r['horizon_months']}_{r['method']}": r[score]
        for r in outlook.methods.to_dict("records")
        for score in SCORES
    }
    for r in outlook.classifier.to_dict("records"):
        out[f"brier_{r['horizon_months']}_classifier"] = r["classifier"]
        out[f"brier_{r['horizon_months']}_difference"] = r["difference"]
    if outlook.backtest is not None and len(outlook.backtest.table):
        county = outlook.backtest.table[outlook.backtest.table["level"] == "county"]
        out |= {f"count_{s}_{r['method']}": r[s] for r in county.to_dict("records") for s in COUNT_SCORES}
    return {name: value for name, value in out.items() if value == value}


def log(outlook: Outlook, store: Path, params: dict[str, Any], tested: Evaluation | None = None) -> str:
    """Log an outlook to MLflow: parameters, accuracy, county tables; no household is in it."""
    from riskmodel.runs import start_run

    metrics = _metrics(outlook)
    if tested is not None:
        for r in tested.table.to_dict("records"):
            metrics |= {f"checked_{s}_{r['horizon_months']}_{r['method']}": r[s] for s in SCORES}
    with start_run("forecast", store, f"forecast {outlook.as_of}") as run:
        run.params(params)
        run.metrics(metrics)
        tables = {k: t for k, t in outlook.tables.items() if k != "households"}
        if tested is not None:
            tables |= {"evaluation": tested.table, "evaluation-coverage": tested.coverage}
        for name, table in tables.items():
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
    param: ParamOption = None,
    line: LineOption = None,
    seed: SeedOption = 0,
    draws: Annotated[int, typer.Option("--draws", min=50, help="Drawn years.")] = 400,
    store: StoreOption = STORE,
    reading: ReadingOptions = READING,
    as_json: JsonFlag = False,
) -> None:
    """Say who falls below the line within a year if a scenario comes true, and what closing the gap costs."""
    from riskmodel import forecasting as ahead
    from riskmodel.households import fingerprint, to_date
    from riskmodel.io import write_json, write_table

    to_date(as_of)
    chosen, said = _rules(ruleset, param, line)
    wanted = [ahead.read_scenario(name) for name in scenario]
    county = reading.read_county(data, out=out, as_of=as_of)
    say("households: income per head 12 months ahead")
    homes = ahead.forecast_households(county, as_of, (12,), chosen, seed=seed)
    for note in homes.notes:
        say(f"note: {note.text(spoken_language())}")
    settings = {
        "as_of": str(homes.as_of),
        "horizon": max(homes.lines),
        "line": homes.lines[max(homes.lines)],
        **said,
        "seed": seed,
        "draws": draws,
        "data_fingerprint": fingerprint(county, homes.as_of),
    }
    answers: dict[str, Any] = {}
    for each in wanted:
        say(f"scenario {each.id}: {pair(each, 'name')[spoken_language()]}")
        result = ahead.stress_test(county, homes, each, draws=draws, seed=seed)
        write_table(_dated(result.table, result), out / f"{each.id}.csv")
        write_table(_dated(result.losses, result), out / f"{each.id}-losses.parquet")
        answers[each.id] = _answer(result)
        for note in result.notes[len(homes.notes) :]:
            say(f"note: {note.text(spoken_language())}")
        answers[each.id]["left_out_households"] = result.left_out
        answers[each.id]["run_id"] = _log_stress(result, store, settings)
    declared = {each.id: each.model_dump(mode="json") for each in wanted}
    write_json(
        {"format": STRESS_FORMAT, **settings, "declared": declared, "scenarios": answers}, out / "stress.json"
    )
    tell({"out": str(out), **settings, "scenarios": answers}, as_json)


def _dated(table: pd.DataFrame, stress: Stress) -> pd.DataFrame:
    """Return a table that says of which scenario and day it is, wherever it is carried."""
    return table.assign(scenario=stress.scenario.id, as_of=str(stress.as_of))


def _answer(stress: Stress) -> dict[str, Any]:
    """Return the county's totals of a scenario: without, with, and what it adds."""
    t = stress.table[(stress.table["township"] == "all") & (stress.table["cause"] == "all")]
    return {
        f"{r['what']}_{r['measure']}": {k: round(r[k], 1) for k in ("mean", "low_95", "high_95")}
        for r in t.to_dict("records")
    }


def _log_stress(stress: Stress, store: Path, params: dict[str, Any]) -> str:
    from riskmodel.runs import start_run

    with start_run("stress", store, stress.scenario.id) as run:
        run.params({**params, "scenario": stress.scenario.model_dump(mode="json")})
        run.metrics({name: value["mean"] for name, value in _answer(stress).items()})
        run.table(stress.table, "stress/table")
    return run.run_id
