"""The verb of what comes back from the villages."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from riskmodel.cli.common import JsonFlag, Pseudonymise, say, tell, verb

app = typer.Typer(help="Findings of visits, as they come back from the villages.", no_args_is_help=True)
SHOWN = 20  # faults said on stderr; all of them stand in the file


@app.callback()
def visits() -> None:
    """Hold the verbs of visits together: with one verb alone the name would be dropped."""


@app.command("import")
@verb
def take_in(
    filled: Annotated[Path, typer.Argument(metavar="LIST", help="The filled list, .xlsx or .csv.")],
    into: Annotated[Path, typer.Option("--into", metavar="DATA", help="The county's folder or file.")],
    recorded_on: Annotated[
        str | None,
        typer.Option("--recorded-on", metavar="DATE", help="When the office came to know them: today."),
    ] = None,
    dry: Annotated[bool, typer.Option("--dry-run", help="Check only, add nothing.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where faults go: LIST-faults.csv.")
    ] = None,
    pseudonymise: Pseudonymise = False,
    as_json: JsonFlag = False,
) -> None:
    """Add the findings of a filled list to the county's visits, each once; conflicts are shown."""
    from riskmodel import scoring
    from riskmodel.data import secret_key
    from riskmodel.households import to_date
    from riskmodel.io.files import write_table

    day = to_date(recorded_on) if recorded_on else dt.date.today()
    taken = scoring.import_visits(filled, into, day, dry=dry, key=secret_key() if pseudonymise else None)
    faults = taken.faults
    summary = taken.summary
    if len(faults):
        path = write_table(faults, out or filled.with_name(f"{filled.stem}-faults.csv"))
        for fault in [*summary["problems"], *summary["conflicts"]][:SHOWN]:
            say(f"warning: {fault}")
        say(f"warning: {len(faults)} entries were not taken in; all of them stand in {path}")
        summary["faults"] = str(path)
    tell({**summary, "dry_run": dry}, as_json)
