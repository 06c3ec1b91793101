"""The verb of whoever plans visits or a study: what so many visits can show, before anybody is visited."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from riskmodel.cli.common import JsonFlag, tell, verb


@verb
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
    from riskmodel import evaluation
    from riskmodel.errors import UsageError
    from riskmodel.io.files import write_table

    if correlation and not villages:
        raise UsageError("--correlation needs --villages: how many villages the visits are spread over")
    effect = evaluation.design_effect(visits / villages, correlation) if villages else 1.0
    table = evaluation.precision_plan(base_rate, visits, lifts=lift or evaluation.LIFTS, effect=effect)
    if table.empty:
        raise UsageError(
            f"base rate {base_rate} times the lift is no share below 1; give a --lift below {1 / base_rate:g}"
        )
    if out is not None:
        write_table(table, out, sheet="plan")
    told: dict[str, Any] = {"design_effect": effect, "plan": table.to_dict("records")}
    if households:
        told |= _difference(base_rate * households, villages, correlation, discordant)
    if as_json:
        tell(told, as_json)
        return
    typer.echo(_text(table, visits, base_rate, effect))
    if households:
        typer.echo(_of_two(told))


def _difference(
    events: float, villages: int | None, correlation: float, discordant: float | None
) -> dict[str, Any]:
    from riskmodel import evaluation

    effect = evaluation.design_effect(events / villages, correlation) if villages else 1.0
    psi = discordant or evaluation.DISCORDANT
    smallest = evaluation.smallest_difference(events, psi, effect=effect)
    return {"events": events, "discordant": psi, "smallest_difference": smallest}


def _text(table: Any, visits: int, base_rate: float, effect: float) -> str:
    lines = [
        f"{visits} visits where {base_rate:.2%} have the event (design effect {effect:.2f}); one-sided exact "
        "test at 5 %, intervals of 95 %",
        f"{'times chance':>12} {'precision':>9} {'hits':>6} {'interval':>17} {'power':>6} "
        f"{'visits for 80 %':>15}",
    ]
    lines += [
        f"{r['lift']:>12g} {r['precision']:>9.2%} {r['hits']:>6.1f} {r['low']:>7.2%} – {r['high']:>7.2%} "
        f"{r['power']:>6.2f} {r['visits_needed']:>15d}"
        for r in table.to_dict("records")
    ]
    return "\n".join(lines)


def _of_two(told: dict[str, Any]) -> str:
    smallest = told["smallest_difference"]
    said = f"{100 * smallest:.1f} points" if smallest == smallest else "none: too few events"
    return (
        f"two lists compared on {told['events']:.0f} events, {told['discordant']:.2f} of them on one list "
        f"only: smallest difference in recall that shows with power 80 %: {said}"
    )
