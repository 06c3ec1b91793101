"""All verbs in one application."""

from __future__ import annotations

import typer

from riskmodel.cli import county, demo, forecast, models, office, rules

app = typer.Typer(
    name="riskmodel",
    help="Return-to-poverty risk scores beside the official rules (返贫致贫风险评分).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("demo")(demo.demo)
app.command("simulate")(county.simulate)
app.command("check")(county.check)
app.add_typer(county.importers, name="import")
app.command("rules")(rules.rules)
app.command("ledger")(rules.ledger)
app.command("features")(models.features)
app.command("train")(models.train)
app.command("compare")(models.compare)
app.command("bench")(models.bench)
app.command("plan")(models.plan)
app.command("score")(office.score)
app.command("worklist")(office.worklist)
app.command("report")(office.report)
app.add_typer(office.visit_commands, name="visits")
app.command("month")(office.month)
app.command("months")(office.months)
app.command("why")(office.why)
app.command("promote")(models.promote)
app.command("monitor")(models.monitor)
app.command("forecast")(forecast.forecast)
app.command("stress")(forecast.stress)
app.command("card")(models.card)
