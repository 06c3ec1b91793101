"""Verbs of analysts and researchers: features, training, comparison."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from riskmodel.cli.common import (
    STORE,
    USAGE,
    JsonFlag,
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
    from riskmodel.runs import RunComparison


@verb
def features(
    data: Annotated[Path | None, typer.Argument(metavar="DATA", help="Folder of tables, or DuckDB.")] = None,
    feature_set: Annotated[str, typer.Option("--feature-set", metavar="ID")] = "household-v1",
    as_of: Annotated[list[str] | None, typer.Option("--as-of", metavar="DATE", help="Repeatable.")] = None,
    engine: Annotated[Literal["duckdb"], typer.Option("--engine")] = "duckdb",
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help=".parquet, .csv, .xlsx")] = None,
    describe: Annotated[bool, typer.Option("--describe", help="Print the data dictionary.")] = False,
    max_rejected: MaxRejected = 0.05,
    snapshot_on: SnapshotOption = None,
    pseudonymise: Pseudonymise = False,
    as_json: JsonFlag = False,
) -> None:
    """Build features, one row per household and as-of; or describe the set."""
    from riskmodel import features as declared
    from riskmodel.io.files import write_table

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
    county = read_county(
        data,
        out=out.parent,
        snapshot_on=snapshot_on,
        max_rejected=max_rejected,
        pseudonymise=pseudonymise,
        as_of=as_of,
    )
    made = declared.build_features(county, chosen, as_of)
    write_table(made, out, sheet="features")
    summary = {"out": str(out), "rows": len(made), "features": len(chosen.names), "feature_set": chosen.id}
    tell(summary, as_json)


@verb
def train(
    experiment: Annotated[str, typer.Argument(metavar="EXPERIMENT.yaml", help="An id or a file.")],
    data: Annotated[Path, typer.Option("--data", metavar="DATA")],
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
    max_rejected: MaxRejected = 0.05,
    snapshot_on: SnapshotOption = None,
    pseudonymise: Pseudonymise = False,
    as_json: JsonFlag = False,
) -> None:
    """Run an experiment, log it to MLflow, and print its run id."""
    from riskmodel.runs import CHALLENGER, find_model, load_experiment, read_truth, train

    exp = load_experiment(experiment)
    exp = exp.model_copy(update={"follow_months": follow}) if follow else exp
    county = read_county(
        data,
        out=store.parent,
        snapshot_on=snapshot_on,
        max_rejected=max_rejected,
        pseudonymise=pseudonymise,
    )
    trained = train(exp, county, store, truth=read_truth(data), progress=say)
    if not as_json:
        say(trained.verdict["en"])
    role = find_model(f"{exp.id}@{CHALLENGER}", store)
    if role is not None and role.run_id == trained.run_id:
        say(f"{exp.id}@champion stays in charge; to compare: riskmodel promote {exp.id}")
    tell(trained.summary, as_json)


@verb
def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Run ids.")],
    store: StoreOption = STORE,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help=".parquet, .csv, .xlsx")] = None,
    further: Annotated[
        Path | None,
        typer.Option(
            "--further", metavar="DIR", help="Lead time, visits equivalent, gaps, bounds, planning."
        ),
    ] = None,
    lang: Annotated[Literal["zh", "en"], typer.Option("--lang")] = "en",
    as_json: JsonFlag = False,
) -> None:
    """Compare rules with models at the same number of visits, with intervals and tests."""
    import pandas as pd

    from riskmodel.io.files import write_table
    from riskmodel.runs import compare as compare_runs

    found = compare_runs(runs, store)
    table = pd.concat([f.table.assign(run_id=f.run.run_id) for f in found], ignore_index=True)
    if out is not None:
        write_table(table, out, sheet="compare")
    more = {f.run.run_id: _further(f, further / f.run.run_id, lang) for f in found} if further else {}
    if as_json:
        tell({"runs": [{**f.summary(), **more.get(f.run.run_id, {})} for f in found]}, as_json)
        return
    for one in found:
        typer.echo(one.text(lang))
        for sentence in more.get(one.run.run_id, {}).get("further", []):
            typer.echo(sentence)


def _further(one: RunComparison, folder: Path, lang: Literal["zh", "en"]) -> dict[str, Any]:
    """Write the tables beyond the comparison itself; return what they say."""
    from riskmodel import benchmark
    from riskmodel.io.files import write_table

    say(f"lead time, visits equivalent, gaps, bounds and planning of run {one.run.run_id}")
    tables = one.run.evaluate().further()
    for name, frame in (one.tables | tables).items():
        if frame is not None:
            write_table(frame, folder / f"{name}.csv")
    visits = tables["visits"]
    said = [benchmark.visits_message(visits, str(model)).text(lang) for model in visits["model"]]
    if "lead" in tables:
        said.append(benchmark.lead_time_message(tables["lead"], tables["metrics"]).text(lang))
    return {"further": said, "tables": str(folder)}
