"""Verbs of model management: promotion, monitoring, model card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from riskmodel.cli.common import (
    DONE,
    REFUSED,
    STORE,
    AsOfOption,
    DataArgument,
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

    found = counties.check_county(data)[0] if data is not None else None
    decision = promote(
        name, store, challenger, override=override, data_check=found,
        county=None if data is None else lambda: read_county(data, out=store.parent),
    )  # fmt: skip
    if as_json:
        tell(decision.summary, as_json)
    else:
        for check in decision.checks:
            reason = check.message.both()
            say(f"{'ok  ' if check.passed else 'FAIL'} {check.id}: {reason['en']}  {reason['zh']}")
        verdict = "is champion now" if decision.promoted else "is not promoted"
        say(f"{name} version {decision.challenger} {verdict} (decision: run {decision.run_id})")
    raise typer.Exit(DONE if decision.promoted else REFUSED)


@verb
def monitor(
    data: DataArgument,
    as_of: AsOfOption,
    model: Annotated[str, typer.Option("--model", metavar="NAME@ALIAS")] = "county@champion",
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
    max_rejected: MaxRejected = 0.05,
    snapshot_on: SnapshotOption = None,
    pseudonymise: Pseudonymise = False,
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
    county = read_county(
        data,
        out=out,
        snapshot_on=snapshot_on,
        max_rejected=max_rejected,
        pseudonymise=pseudonymise,
        as_of=(before, day),
    )
    past = monthly.past_scores(months, loaded.name, before=day) if months.is_dir() else []
    say(f"comparing with {before}; {len(past)} past months on record")
    found = scoring.monitor(
        county, loaded, day, before, past=past,
        cohort=open_run(loaded.run_id, store).declaration["cohort"],
    )  # fmt: skip
    page = presentation.write_monitor(found, out)
    tell({"out": str(page), **found.summary}, as_json)


@verb
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
