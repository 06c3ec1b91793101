"""All verbs in one application."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from riskmodel.cli import (
    county,
    demo,
    evaluation,
    forecast,
    forms,
    imports,
    local_page,
    models,
    office,
    province,
    rules,
)
from riskmodel.cli.cases import case_commands
from riskmodel.cli.common import USAGE, say
from riskmodel.cli.language import SpokenGroup
from riskmodel.errors import UsageError
from riskmodel.i18n import check_language

app = typer.Typer(
    cls=SpokenGroup,
    name="riskmodel",
    help="Return-to-poverty risk scores beside the official rules (返贫致贫风险评分).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def begin(
    lang: Annotated[str | None, typer.Option("--lang", help="zh or en: outputs and messages.")] = None,
) -> None:
    """Take the language where it stands before the verb (`riskmodel.cli.language` reads it from the call)."""
    try:
        check_language(lang or "en")
    except UsageError as exc:
        say(f"riskmodel: {exc}")
        raise typer.Exit(USAGE) from exc


VERBS: dict[str, Callable[..., None]] = {
    "demo": demo.demo,
    "simulate": county.simulate,
    "check": county.check,
    "rules": rules.rules,
    "ledger": rules.ledger,
    "features": models.features,
    "train": models.train,
    "preregister": models.preregister,
    "evaluate": evaluation.evaluate,
    "compare": models.compare,
    "bench": models.bench,
    "plan": models.plan,
    "score": office.score,
    "worklist": office.worklist,
    "report": office.report,
    "month": office.month,
    "months": office.months,
    "office": local_page.office,
    "forms": forms.forms,
    "province": province.province,
    "why": office.why,
    "promote": models.promote,
    "monitor": models.monitor,
    "forecast": forecast.forecast,
    "stress": forecast.stress,
    "card": models.card,
}
for name, function in VERBS.items():
    app.command(name)(function)
app.add_typer(models.experiment_commands, name="experiment")
app.add_typer(imports.importers, name="import")
app.add_typer(office.visit_commands, name="visits")
app.add_typer(case_commands, name="cases")
