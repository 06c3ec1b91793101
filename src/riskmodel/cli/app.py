"""All verbs in one application."""

from __future__ import annotations

import typer

from riskmodel.cli import (
    ahead,
    bench,
    care,
    county,
    demo,
    judge,
    learn,
    month,
    office,
    plan,
    simulated,
    visits,
)

app = typer.Typer(
    name="riskmodel",
    help="Return-to-poverty risk scores beside the official rules (返贫致贫风险评分).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("demo")(demo.demo)
app.command("simulate")(simulated.simulate)
app.command("check")(county.check)
app.add_typer(county.importers, name="import")
app.command("rules")(judge.rules)
app.command("ledger")(judge.ledger)
app.command("features")(learn.features)
app.command("train")(learn.train)
app.command("compare")(learn.compare)
app.command("bench")(bench.bench)
app.command("plan")(plan.plan)
app.command("score")(office.score)
app.command("worklist")(office.worklist)
app.command("report")(office.report)
app.add_typer(visits.app, name="visits")
app.command("month")(month.month)
app.command("months")(month.months)
app.command("why")(office.why)
app.command("promote")(care.promote)
app.command("monitor")(care.monitor)
app.command("forecast")(ahead.forecast)
app.command("stress")(ahead.stress)
app.command("card")(care.card)
