"""The office's month in one go, and the months gone by."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from riskmodel.cli.common import (
    STORE,
    AsOfOption,
    BeyondOption,
    DataArgument,
    JsonFlag,
    MaxRejected,
    MeasuresOption,
    NamesOption,
    Pseudonymise,
    QuotaOption,
    SnapshotOption,
    StoreOption,
    read_people,
    say,
    tell,
    verb,
)

MONTHS = Path("out/months")


@verb
def month(
    data: DataArgument,
    as_of: AsOfOption,
    visits: Annotated[
        int | None, typer.Option("--visits", min=1, help="How many can be visited; said once.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME@ALIAS", help="Default county@champion.")
    ] = None,
    random_share: Annotated[float | None, typer.Option("--random-share", min=0, max=1)] = None,
    by: Annotated[
        Literal["township", "village", "none"] | None,
        typer.Option("--by", help="A sheet for each: township."),
    ] = None,
    quota: QuotaOption = None,
    floor: Annotated[
        float | None, typer.Option("--floor", min=0, max=1, help="Probability a quota asks for: 0.1.")
    ] = None,
    beyond: BeyondOption = None,
    names: NamesOption = None,
    measures: MeasuresOption = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Of the random share.")] = None,
    lang: Annotated[str | None, typer.Option("--lang", help="zh or en.")] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of all months.")] = MONTHS,
    store: StoreOption = STORE,
    max_rejected: MaxRejected = 0.05,
    snapshot_on: SnapshotOption = None,
    pseudonymise: Pseudonymise = False,
    as_json: JsonFlag = False,
) -> None:
    """Check, judge, score, list, report and balance a month in one go; a killed run is taken up again."""
    from riskmodel import month as monthly
    from riskmodel.explanation import load_measures

    options = monthly.MonthOptions(
        model=model, visits=visits, random_share=random_share, by=by, quota=tuple(quota) if quota else None,
        floor=floor, beyond=beyond, measures=load_measures(measures) if measures else None, seed=seed,
        lang=lang,
    )  # fmt: skip
    people = read_people(names, pseudonymise)
    made = monthly.run_month(
        data, as_of, out, store=store, options=options, names=people, say=say, max_rejected=max_rejected,
        snapshot_on=snapshot_on, pseudonymise=pseudonymise,
    )  # fmt: skip
    tell(made.summary, as_json)


@verb
def months(
    out: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of all months.")] = MONTHS,
    household: Annotated[
        list[str] | None, typer.Option("--household", metavar="ID", help="Its scores; repeatable.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--out", metavar="FILE", help=".parquet, .csv, .xlsx")] = None,
    lang: Annotated[str, typer.Option("--lang", help="zh or en.")] = "zh",
    as_json: JsonFlag = False,
) -> None:
    """Say what made each month, or the scores of households month by month, exactly as made then."""
    from riskmodel import month as monthly
    from riskmodel.io.files import write_table

    found = monthly.scores_by_month(out, household, lang) if household else monthly.list_months(out)
    if to is not None:
        write_table(found, to)
    if as_json:
        tell({"rows": found.to_dict("records"), "out": str(to) if to else None}, as_json)
        return
    short = ["as_of", "household_id", "probability", "rank", "rule_category", "model", "model_version"]
    shown = found[short] if household else found.drop(columns=["feature_set_hash"])
    typer.echo(shown.to_string(index=False))
