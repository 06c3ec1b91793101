"""The verb of a province: every county by itself, one summary."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from riskmodel.cli.common import (
    READING,
    REFUSED,
    STORE,
    AsOfOption,
    BeyondOption,
    JsonFlag,
    LangOption,
    LineOption,
    ParamOption,
    QuotaOption,
    ReadingOptions,
    StoreOption,
    say,
    tell,
    verb,
)


@verb
def province(
    counties: Annotated[
        Path,
        typer.Argument(
            metavar="COUNTIES", help="Folder of counties, a list (.yaml, .csv), or a Parquet lake."
        ),
    ],
    as_of: AsOfOption,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write to.")],
    model: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="NAME@ALIAS", help="Scores and lists; brings its features and rules."
        ),
    ] = None,
    feature_set: Annotated[
        str | None, typer.Option("--feature-set", metavar="ID", help="Without a model: household-v1.")
    ] = None,
    ruleset: Annotated[
        str | None, typer.Option("--ruleset", metavar="ID", help="Without a model: national-2021.")
    ] = None,
    param: ParamOption = None,
    line: LineOption = None,
    engine: Annotated[
        Literal["local", "spark"], typer.Option("--engine", help="Processes of this machine, or Spark.")
    ] = "local",
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Counties at once.")] = 1,
    visits: Annotated[
        int | None, typer.Option("--visits", min=1, help="In each county; a list may have its own.")
    ] = None,
    random_share: Annotated[
        float, typer.Option("--random-share", min=0, max=1, help="Share of visits that is drawn.")
    ] = 0.05,
    by: Annotated[
        Literal["township", "village", "none"], typer.Option("--by", help="A sheet for each.")
    ] = "township",
    quota: QuotaOption = None,
    floor: Annotated[
        float, typer.Option("--floor", min=0, max=1, help="Probability a quota asks for.")
    ] = 0.1,
    beyond: BeyondOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the random share.")] = 0,
    lang: LangOption = "zh",
    store: StoreOption = STORE,
    reading: ReadingOptions = READING,
    as_json: JsonFlag = False,
) -> None:
    """Check, judge, build features, score and list every county by itself; run again, what stands is kept.

    --memory and --threads are each county's. Exits with 1 where a county failed: it is named, the others
    stand.
    """
    from riskmodel import province as provinces

    listing = provinces.ListOptions(
        visits=visits, random_share=random_share, by=None if by == "none" else by, quota=tuple(quota or ()),
        floor=floor, seed=seed, **({"beyond": beyond} if beyond else {}),
    )  # fmt: skip
    result = provinces.run_province(
        counties, as_of, out, model=model, store=store, feature_set=feature_set, ruleset=ruleset,
        param=param, line=line, listing=listing, engine=engine, jobs=jobs, memory=reading.memory,
        threads=reading.threads, lang=lang, say=say, **reading.options,
    )  # fmt: skip
    tell(result.summary, as_json)
    for record in result.failed:
        say(f"riskmodel: {record['county']} failed: {record['error']}")
    if result.failed:
        raise typer.Exit(REFUSED)
