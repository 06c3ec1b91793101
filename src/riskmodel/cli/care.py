"""Verbs of model care: who scores, and whether it still may."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from riskmodel.cli.common import DONE, REFUSED, STORE, JsonFlag, StoreOption, say, tell, verb


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
    from riskmodel import county as counties
    from riskmodel import promotion

    found = counties.check(data)[0] if data is not None else None
    decision = promotion.promote(name, store, challenger, override=override, data_check=found)
    if as_json:
        tell(decision.summary, as_json)
    else:
        for check in decision.checks:
            say(f"{'ok  ' if check.passed else 'FAIL'} {check.id}: {check.en}  {check.zh}")
        verdict = "is champion now" if decision.promoted else "is not promoted"
        say(f"{name} version {decision.challenger} {verdict} (decision: run {decision.run_id})")
    raise typer.Exit(DONE if decision.promoted else REFUSED)
