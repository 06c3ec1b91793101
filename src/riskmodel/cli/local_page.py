"""The verb that opens the office's local page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from riskmodel.cli.common import STORE, LangOption, StoreOption, light_verb, say
from riskmodel.cli.office import MONTHS


@light_verb
def office(
    port: Annotated[
        int | None,
        typer.Option("--port", min=1024, max=65535, help="Of this machine; a free one by default."),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only print the link; it works once.")
    ] = False,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DATA", help="The county's folder; can be chosen there.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of all months.")] = MONTHS,
    lang: LangOption = "zh",
    store: StoreOption = STORE,
) -> None:
    """Open the office's page on this machine (127.0.0.1, no network): the month is done by clicking."""
    from riskmodel import app
    from riskmodel.errors import InputMissing
    from riskmodel.i18n import check_language

    if data is not None and not data.exists():
        raise InputMissing(f"{data}: no such folder or file")
    desk = app.Desk(out.absolute(), store.absolute(), data.absolute() if data else None, check_language(lang))
    app.open_page(desk, port, say, browser=not no_browser)
