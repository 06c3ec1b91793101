"""Verbs of analysts: features, training, comparison, benchmark, study plan; promotion, monitoring, card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from riskmodel.cli.common import (
    DONE,
    READING,
    REFUSED,
    STORE,
    USAGE,
    AsOfOption,
    DataArgument,
    JsonFlag,
    ReadingOptions,
    StoreOption,
    light_verb,
    say,
    show,
    tell,
    verb,
)
from riskmodel.i18n import counted, spoken_language

if TYPE_CHECKING:
    from riskmodel.runs import RunComparison


@verb
def features(
    data: Annotated[Path | None, typer.Argument(metavar="DATA", help="Folder of tables, or DuckDB.")] = None,
    feature_set: Annotated[
        str, typer.Option("--feature-set", metavar="ID", help="An id or a YAML.")
    ] = "household-v1",
    as_of: Annotated[list[str] | None, typer.Option("--as-of", metavar="DATE", help="Repeatable.")] = None,
    engine: Annotated[Literal["duckdb"], typer.Option("--engine", help="The table engine.")] = "duckdb",
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help=".parquet, .csv, .xlsx")] = None,
    describe: Annotated[bool, typer.Option("--describe", help="Print the data dictionary.")] = False,
    reading: ReadingOptions = READING,
    as_json: JsonFlag = False,
) -> None:
    """Build features, one row per household and as-of; or describe the set."""
    from riskmodel import features as declared
    from riskmodel.io import write_table

    chosen = declared.load_feature_set(feature_set)
    if describe:
        dictionary = declared.describe_features(chosen)
        if out is not None:
            write_table(dictionary, out, sheet="features")
        elif as_json:
            tell({"feature_set": chosen.id, "features": dictionary.to_dict("records")}, as_json)
        else:
            typer.echo(dictionary.to_csv(index=False, sep="\t"), nl=False)
        return
    if data is None or not as_of or out is None:
        say("riskmodel features needs DATA, --as-of DATE and --out FILE; or --describe")
        raise typer.Exit(USAGE)
    county = reading.read_county(data, out=out.parent, as_of=as_of)
    frame = declared.build_features(county, chosen, as_of)
    write_table(frame, out, sheet="features")
    summary = {"out": str(out), "rows": len(frame), "features": len(chosen.names), "feature_set": chosen.id}
    tell(summary, as_json)


@verb
def train(
    experiment: Annotated[str, typer.Argument(metavar="EXPERIMENT.yaml", help="An id or a file.")],
    data: Annotated[Path, typer.Option("--data", metavar="DATA", help="Folder of tables, or a DuckDB file.")],
    store: StoreOption = STORE,
    follow: Annotated[
        int | None,
        typer.Option(
            "--follow",
            metavar="MONTHS",
            min=1,
            max=12,
            help="Draw lists up again every so many months after the test: lead time in compare --further.",
        ),
    ] = None,
    province: Annotated[
        Path | None,
        typer.Option(
            "--province", metavar="DIR", help="DATA holds counties: fit once on the rows of all, kept in DIR."
        ),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Of a province: counties at once.")] = 1,
    reading: ReadingOptions = READING,
    as_json: JsonFlag = False,
) -> None:
    """Run an experiment, log it to MLflow, and print its run id."""
    from riskmodel.errors import UsageError
    from riskmodel.runs import CHAMPION, find_model, load_experiment, read_truth, train

    exp = load_experiment(experiment)
    exp = exp.model_copy(update={"follow_months": follow}) if follow else exp
    if province is None:
        county = reading.read_county(data, out=store.parent)
        trained = train(exp, county, store, truth=read_truth(data), progress=say)
    else:
        from riskmodel.province import train_province

        if follow:
            raise UsageError("--follow looks at the records month by month: train on one county, or without")
        trained = train_province(
            exp, data, province, store, jobs=jobs, memory=reading.memory, threads=reading.threads,
            progress=say, **reading.options,
        )  # fmt: skip
    if not as_json:
        say(trained.result.nouns.spoken(trained.verdict[spoken_language()]))
    in_charge = find_model(f"{exp.id}@{CHAMPION}", store)
    if in_charge is not None and in_charge.run_id != trained.run_id:
        say(f"{exp.id}@champion stays in charge; to compare: riskmodel promote {exp.id}")
    tell(trained.summary, as_json)


@verb
def preregister(
    experiment: Annotated[str, typer.Argument(metavar="EXPERIMENT.yaml", help="An id or a file.")],
    data: Annotated[Path, typer.Option("--data", metavar="DATA", help="Folder of tables, or a DuckDB file.")],
    store: StoreOption = STORE,
    reading: ReadingOptions = READING,
    as_json: JsonFlag = False,
) -> None:
    """Date and lock a plan, before its test is run, under its test set: cohort, dates, label."""
    from riskmodel.runs import plan_message, preregister

    plan = preregister(experiment, reading.read_county(data, out=store.parent), store)
    if not as_json:
        say(plan_message(plan).text(spoken_language()))
    shown = ("run_id", "key", "status", "locked_at", "primary", "data_through", "fingerprint")
    tell(plan if as_json else {name: plan[name] for name in shown}, as_json)


@light_verb
def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Run ids.")],
    store: StoreOption = STORE,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help=".parquet, .csv, .xlsx")] = None,
    further: Annotated[
        Path | None,
        typer.Option(
            "--further",
            metavar="DIR",
            help="Lead time, visits equivalent, gaps, bounds, planning, model choice.",
        ),
    ] = None,
    lang: Annotated[
        Literal["zh", "en"], typer.Option("--lang", help="zh or en: outputs and messages.")
    ] = "en",
    as_json: JsonFlag = False,
) -> None:
    """Compare rules with models at the same number of visits, with intervals and tests."""
    import pandas as pd

    from riskmodel.io import write_table
    from riskmodel.runs import compare as compare_runs

    comparisons = compare_runs(runs, store)
    table = pd.concat([f.table.assign(run_id=f.run.run_id) for f in comparisons], ignore_index=True)
    if out is not None:
        write_table(table, out, sheet="compare")
    more = {f.run.run_id: _further(f, further / f.run.run_id, lang) for f in comparisons} if further else {}
    if as_json:
        tell({"runs": [{**f.summary(), **more.get(f.run.run_id, {})} for f in comparisons]}, as_json)
        return
    for one in comparisons:
        typer.echo(one.text(lang))
        for sentence in more.get(one.run.run_id, {}).get("further", []):
            show(sentence)


def _further(one: RunComparison, folder: Path, lang: Literal["zh", "en"]) -> dict[str, Any]:
    """Write the tables beyond the comparison itself; return what they say."""
    from riskmodel import benchmark
    from riskmodel.io import write_table
    from riskmodel.runs import choice_messages, model_choice

    say(f"lead time, visits equivalent, gaps, bounds and planning of run {one.run.run_id}")
    tables, choice = one.run.evaluate().further(), model_choice(one.run)
    for name, frame in (one.tables | tables | (choice.tables if choice else {})).items():
        if frame is not None:
            write_table(frame, folder / f"{name}.csv")
    visits = tables["visits"]
    sentences = [benchmark.visits_message(visits, str(model)).text(lang) for model in visits["model"]]
    if "lead" in tables:
        sentences.append(benchmark.lead_time_message(tables["lead"], tables["metrics"]).text(lang))
    sentences += [m.text(lang) for m in choice_messages(choice)] if choice else []
    return {"further": sentences, "tables": str(folder)}


@light_verb
def plan(
    base_rate: Annotated[
        float,
        typer.Option("--base-rate", min=1e-6, max=0.999, help="Share with the event: 0.01, one in 100."),
    ],
    visits: Annotated[int, typer.Option("--visits", min=1, help="Households on the list.")],
    lift: Annotated[
        list[float] | None,
        typer.Option("--lift", min=1.01, help="How many times better than chance the list is; repeatable."),
    ] = None,
    villages: Annotated[
        int | None, typer.Option("--villages", min=1, help="Villages that visits and events are spread over.")
    ] = None,
    correlation: Annotated[
        float, typer.Option("--correlation", min=0, max=1, help="Of two households of one village.")
    ] = 0.0,
    households: Annotated[
        int | None, typer.Option("--households", min=1, help="Also: what two lists of so many can show.")
    ] = None,
    discordant: Annotated[
        float | None,
        typer.Option("--discordant", min=0.001, max=1, help="Share of events on one of two lists only."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help=".parquet, .csv, .xlsx")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say how sure the precision of a list will be, and how small a difference of two lists will show."""
    from riskmodel import planning
    from riskmodel.errors import UsageError

    if correlation and not villages:
        raise UsageError("--correlation needs --villages: how many villages the visits are spread over")
    effect = planning.design_effect(visits / villages, correlation) if villages else 1.0
    rows = planning.plan_precision(base_rate, visits, lifts=lift or planning.LIFTS, effect=effect)
    if not rows:
        raise UsageError(
            f"base rate {base_rate} times the lift is no share below 1; give a --lift below {1 / base_rate:g}"
        )
    if out is not None:
        import pandas as pd

        from riskmodel.io import write_table

        write_table(pd.DataFrame(rows), out, sheet="plan")
    summary: dict[str, Any] = {"design_effect": effect, "plan": rows}
    if households:
        summary |= _difference(base_rate * households, villages, correlation, discordant)
    if as_json:
        tell(summary, as_json)
        return
    show(_text(rows, visits, base_rate, effect))
    if households:
        show(_of_two(summary))


def _difference(
    events: float, villages: int | None, correlation: float, discordant: float | None
) -> dict[str, Any]:
    from riskmodel import planning

    effect = planning.design_effect(events / villages, correlation) if villages else 1.0
    psi = discordant or planning.DISCORDANT
    smallest = planning.smallest_difference(events, psi, effect=effect)
    return {"events": events, "discordant": psi, "smallest_difference": smallest}


def _text(rows: list[dict[str, Any]], visits: int, base_rate: float, effect: float) -> str:
    lines = [
        f"{visits} visits where {base_rate:.2%} have the event (design effect {effect:.2f}); one-sided exact "
        "test at 5 %, intervals of 95 %",
        f"{'times chance':>12} {'precision':>9} {'hits':>6} {'interval':>17} {'power':>6} "
        f"{'visits for 80 %':>15}",
    ]
    lines += [
        f"{r['lift']:>12g} {r['precision']:>9.2%} {r['hits']:>6.1f} {r['low']:>7.2%} – {r['high']:>7.2%} "
        f"{r['power']:>6.2f} {r['visits_needed']:>15d}"
        for r in rows
    ]
    return "\n".join(lines)


def _of_two(plan: dict[str, Any]) -> str:
    smallest = plan["smallest_difference"]
    difference = f"{100 * smallest:.1f} points" if smallest == smallest else "none: too few events"
    return (
        f"two lists compared on {plan['events']:.0f} events, {plan['discordant']:.2f} of them on one list "
        f"only: smallest difference in recall that shows with power 80 %: {difference}"
    )


@verb
def bench(
    declaration: Annotated[str, typer.Argument(metavar="BENCH.yaml", help="An id or a file.")] = "bench",
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write to.")] = Path(
        "out/bench"
    ),
    eph: Annotated[Path | None, typer.Option("--eph", metavar="FILE", help="The EPH panel.")] = None,
    teen: Annotated[
        Path | None, typer.Option("--teen-poverty", metavar="FILE", help="teen_poverty.csv of panelr.")
    ] = None,
    panel: Annotated[
        list[str] | None, typer.Option("--panel", metavar="ID", help="Only this; repeatable.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=16, help="Panels at once, a core each.")] = 2,
    quick: Annotated[bool, typer.Option("--quick", help="A small size that only shows the path.")] = False,
    lang: Annotated[str, typer.Option("--lang", help="zh or en: outputs and messages.")] = "en",
    store: StoreOption = STORE,
    as_json: JsonFlag = False,
) -> None:
    """Run all models and rule sets on simulated and real panels, into one MLflow experiment and one page.

    A run that was stopped goes on where it was: panels that are done lie in DIR.
    """
    from riskmodel import benchmark as benches

    declared = benches.load_benchmark(declaration)
    sources = {name: file for name, file in (("eph", eph), ("teen-poverty", teen)) if file is not None}
    result = benches.run_benchmark(
        declared, out, store, quick=quick, sources=sources, only=panel, progress=say, jobs=jobs
    )
    if not result.panels:
        say(f"riskmodel: no panel was run: {result.skipped}")
        raise typer.Exit(1)
    page = benches.write_benchmark_page(result, out, lang)
    summary = {
        "out": str(page),
        "experiment": declared.id,
        "quick": quick,
        "seconds": round(result.seconds),
        "panels": {
            one.panel.id: {"run_id": one.run_id, "seconds": round(one.seconds)} for one in result.panels
        },
        "skipped": result.skipped,
        "left_out": result.left_out,
        "findings": [
            message.text("zh" if lang == "zh" else "en") for message in benches.benchmark_findings(result)
        ],
    }
    tell(summary, as_json)


@verb
def promote(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A registered model, such as county.")],
    challenger: Annotated[
        str, typer.Option("--challenger", metavar="ALIAS", help="Alias or version to put in charge.")
    ] = "challenger",
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DATA", help="Check these tables again first.")
    ] = None,
    override: Annotated[
        str, typer.Option("--override", metavar="REASON", help="Promote against a failed check; logged.")
    ] = "",
    store: StoreOption = STORE,
    as_json: JsonFlag = False,
) -> None:
    """Put the challenger in charge if it passes every check; the decision is logged with its reasons."""
    from riskmodel import data as counties
    from riskmodel.runs import promote

    checked = counties.check_county(data)[0] if data is not None else None
    decision = promote(
        name, store, challenger, override=override, data_check=checked,
        county=None if data is None else lambda: READING.read_county(data, out=store.parent),
    )  # fmt: skip
    if as_json:
        tell(decision.summary, as_json)
    else:
        for check in decision.checks:
            reason = check.message.text(spoken_language())
            say(f"{'ok  ' if check.passed else 'FAIL'} {check.id}: {reason}")
        verdict = "is champion now" if decision.promoted else "is not promoted"
        say(f"{name} version {decision.challenger} {verdict} (decision: run {decision.run_id})")
    raise typer.Exit(DONE if decision.promoted else REFUSED)


experiment_commands = typer.Typer(
    help="Look at a declared experiment before it is run.", no_args_is_help=True
)


@experiment_commands.callback()
def experiments() -> None:
    """Hold the verbs of experiments together: with one verb alone the name would be dropped."""


@experiment_commands.command("check")
@verb
def check_declared(
    experiment: Annotated[str, typer.Argument(metavar="EXPERIMENT.yaml", help="An id or a file.")],
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DATA", help="Data to hold it against.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say all that is wrong with an experiment, its rule set and feature set, and how data fit it."""
    from riskmodel import data as counties
    from riskmodel.runs import check_experiment

    county = None if data is None else counties.read_county(data)
    faults = check_experiment(experiment, county)
    for fault in faults:
        say(f"{fault.part}: {fault.text}")
    told = [{"part": f.part, "text": f.text} for f in faults]
    tell({"experiment": experiment, "faults": told if as_json else len(told)}, as_json)
    raise typer.Exit(REFUSED if faults else DONE)


@verb
def monitor(
    data: DataArgument,
    as_of: AsOfOption,
    model: Annotated[
        str, typer.Option("--model", metavar="NAME@ALIAS", help="Such as county@champion.")
    ] = "county@champion",
    reference: Annotated[
        str | None,
        typer.Option("--reference", metavar="DATE", help="Compared with: a year before."),
    ] = None,
    months: Annotated[
        Path, typer.Option("--months", metavar="DIR", help="Folder of all months, for past scores.")
    ] = Path("out/months"),
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write to.")] = Path(
        "out/monitor"
    ),
    store: StoreOption = STORE,
    reading: ReadingOptions = READING,
    as_json: JsonFlag = False,
) -> None:
    """Look at the model in use: drift, missing values, calibration, yield; an alarm page."""
    from riskmodel import month as monthly
    from riskmodel import presentation, scoring
    from riskmodel.households import add_months, to_date
    from riskmodel.runs import load_model, open_run

    day = to_date(as_of)
    loaded = load_model(model, store)
    before = to_date(reference) if reference else add_months(day, -12)
    county = reading.read_county(data, out=out, as_of=(before, day))
    past = monthly.past_scores(months, loaded.name, before=day) if months.is_dir() else []
    say(f"comparing with {before}; {counted(len(past), 'past month')} on record")
    result = scoring.monitor(
        county, loaded, day, before, past=past,
        cohort=open_run(loaded.run_id, store).declaration["cohort"],
    )  # fmt: skip
    page = presentation.write_monitor(result, out)
    tell({"out": str(page), **result.summary}, as_json)


@light_verb
def card(
    model: Annotated[str, typer.Argument(metavar="NAME@ALIAS", help="Such as county@champion.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write to.")] = Path("out/card"),
    store: StoreOption = STORE,
    as_json: JsonFlag = False,
) -> None:
    """Write the model card and the data sheet of a registered model; a scorecard's points as well."""
    from riskmodel import presentation

    model_card, data_sheet = presentation.write_model_card(model, out, store)
    points = [str(out / n) for n in ("scorecard.csv", "scorecard_chances.csv") if (out / n).is_file()]
    tell({"model_card": str(model_card), "data_sheet": str(data_sheet), "points": points}, as_json)
