"""The verb that makes a county whose true risks are known, and measures its process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riskmodel.cli.common import USAGE, JsonFlag, say, tell, verb

if TYPE_CHECKING:
    from riskmodel.simulate import SimulationSpec

HOUSEHOLDS, MONTHS = 3000, 60
# Truth from 1,000 futures takes some 10 ms a household and date: of larger counties a sample is told.
ALL_TOLD, TRUTH_SAMPLE = 5000, 2000


@verb
def simulate(
    out: Annotated[Path | None, typer.Argument(metavar="OUT", help="Folder to write to.")] = None,
    households: Annotated[
        int | None, typer.Option("--households", min=20, help=f"How many (default {HOUSEHOLDS}).")
    ] = None,
    months: Annotated[int, typer.Option("--months", min=24, help="Whole months.")] = MONTHS,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    profile: Annotated[
        str, typer.Option("--profile", help="default, poor-mountain, rich-plain, disaster-year, or a YAML.")
    ] = "default",
    futures: Annotated[
        int, typer.Option("--futures", min=0, help="Futures a truth is averaged over; 0 for no truth.")
    ] = 1000,
    truth_at: Annotated[
        list[str] | None, typer.Option("--truth-at", metavar="DATE", help="Month ends; repeatable.")
    ] = None,
    horizon: Annotated[
        list[int] | None,
        typer.Option("--horizon", min=1, max=24, help="Months ahead of truth; repeatable (default 12)."),
    ] = None,
    truth_sample: Annotated[
        int | None,
        typer.Option(
            "--truth-sample",
            min=1,
            help=f"Truth for so many households, drawn (default: all up to {ALL_TOLD}, else {TRUTH_SAMPLE}).",
        ),
    ] = None,
    register: Annotated[
        str | None,
        typer.Option(
            "--register", metavar="RULESET", help="The rule set its register goes by: an id or a YAML."
        ),
    ] = None,
    dirty: Annotated[
        str | None, typer.Option("--dirty", metavar="ID|FILE", help="Spoil records: default, or a YAML.")
    ] = None,
    validate: Annotated[
        bool, typer.Option("--validate", help="No county: measure the profile against published figures.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Simulate a county in the data contract, with its true risks in truth.parquet; or --validate it."""
    if validate:
        _validate(profile, households, seed, as_json)
        return
    if out is None:
        say("riskmodel simulate needs OUT, the folder to write to; or --validate")
        raise typer.Exit(USAGE)
    from riskmodel import simulate as simulation

    _not_a_real_county(out)
    spoiling = simulation.load_error_profile(dirty) if dirty else None
    flag_rule = None
    if register:
        flag_rule = simulation.register_rule(register)
    size = households or HOUSEHOLDS
    if truth_sample is None and size > ALL_TOLD:
        truth_sample = TRUTH_SAMPLE
    asked = simulation.simulation_spec(
        households=size,
        months=months,
        seed=seed,
        profile_name=profile,
        futures=futures,
        flag_rule=flag_rule,
        truth_at=truth_at or None,
        horizon=horizon or 12,
        truth_sample=truth_sample,
    )
    plan = asked.plan
    say(f"simulating {plan.households} households over {plan.months} months (profile {profile}, seed {seed})")
    if register:
        say(f"its register goes by {asked.register}")
    if asked.truth_at and truth_sample and size > truth_sample:
        say(f"truth for {truth_sample} of them, drawn at random (--truth-sample)")
    files = simulation.write_simulated_blocks(asked, out, spoiling)
    if spoiling is not None:
        say(f"spoiled on purpose; what was done to which row: {files[-1]}")
    tell(_summary(asked, out, files), as_json)


def _not_a_real_county(out: Path) -> None:
    """Refuse to write over a county that was not simulated: nobody could bring it back."""
    import yaml

    from riskmodel.errors import InputRefused
    from riskmodel.simulate import TABLES

    there = [p.name for name in TABLES for p in sorted(out.glob(f"{name}.*"))] if out.is_dir() else []
    about = out / "about.yaml"
    made_up = about.is_file() and "simulated" in (yaml.safe_load(about.read_text(encoding="utf-8")) or {})
    if there and not made_up:
        raise InputRefused(
            f"{out} holds tables that were not simulated ({', '.join(there)}): name another folder"
        )


def _summary(asked: SimulationSpec, out: Path, files: list[Path]) -> dict[str, Any]:
    import pyarrow.parquet as pq

    rows = {f.stem: pq.read_metadata(f).num_rows for f in files if f.suffix == ".parquet"}
    truth = rows.pop("truth", 0)
    plan = asked.plan
    return {
        "out": str(out),
        "households": plan.households,
        "months": plan.months,
        "seed": plan.seed,
        "register": asked.register,
        "rows": rows,
        "truth_rows": truth,
    }


def _validate(profile: str, households: int | None, seed: int, as_json: bool) -> None:
    from riskmodel.simulate import validation

    size = households or validation.HOUSEHOLDS
    say(f"simulating {size} households over eight years (profile {profile}, seed {seed})")
    table = validation.validate_profile(profile, households=size, seed=seed)
    counted = validation.summary(table)
    if as_json:
        tell(
            {"profile": profile, "households": size, **counted, "targets": table.to_dict("records")}, as_json
        )
        return
    typer.echo(validation.text(table))
    typer.echo(
        f"\nmet: {counted['fitted_met']} of {counted['fitted']} fitted, "
        f"{counted['checked_met']} of {counted['checked']} only checked"
    )
