"""The office's local page: the month done by clicking, on this machine alone.

`Desk` is what the page knows and does, without a browser; `open_page` serves it.
"""

from __future__ import annotations

from collections.abc import Callable

from riskmodel.app.desk import Desk
from riskmodel.errors import UsageError
from riskmodel.i18n import text

__all__ = ["Desk", "open_page"]


def open_page(desk: Desk, port: int | None, say: Callable[[str], None], *, browser: bool = True) -> None:
    """Serve the page until it is ended; see `riskmodel.app.server.serve`.

    Raises
    ------
    UsageError
        If the extra ``office`` is not installed, or the port is taken.
    """
    try:
        from riskmodel.app.server import serve
    except ModuleNotFoundError as exc:
        if (exc.name or "").partition(".")[0] == "riskmodel":
            raise
        raise UsageError(text("local_page.install", desk.lang)) from exc
    serve(desk, port, say, browser=browser)
