"""The server of the page: on this machine's own address alone, behind the guard. Loaded with NiceGUI only."""

from __future__ import annotations

import logging
import os
import socket
import threading
import webbrowser
from collections.abc import Callable
from typing import Any

# Nothing is written beside the data, and nothing is asked of anybody.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")

import uvicorn
from fastapi import FastAPI
from nicegui import ui
from starlette.responses import FileResponse, Response

from riskmodel.app.desk import Desk
from riskmodel.app.frame import Frame
from riskmodel.app.guard import LOOPBACK, Guard
from riskmodel.app.views import VIEWS
from riskmodel.errors import UsageError
from riskmodel.i18n import text

ENDING_SECONDS = 1.0  # from the click until the server ends: the page says good-bye first
BIGGEST_MESSAGE = 64 << 20  # bytes; rows of a large county go to the page in one message


def create_application(desk: Desk, port: int, shut_down: Callable[[], None] = lambda: None) -> Guard:
    """Return the whole application: pages and files of a desk, behind the guard."""
    application = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @application.get("/files/{day}/{name:path}")
    def send_file(day: str, name: str) -> Response:
        path = desk.file(day, name)
        if path is None:
            return Response(status_code=404)
        shown = path.suffix.lower() == ".html"
        kept = path.name if shown else f"{day}-{path.name}"
        return FileResponse(path, filename=kept, content_disposition_type="inline" if shown else "attachment")

    def draw() -> None:
        Frame(desk, shut_down).draw(VIEWS)

    ui.run_with(
        application, root=draw, title=text("local_page.title", desk.lang), language="zh-CN", favicon="📋",
        show_welcome_message=False, reconnect_timeout=30.0, storage_secret=None,
    )  # fmt: skip
    return Guard(application, port)


def free_port() -> int:
    """Return a port of this machine that nobody uses."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def serve(desk: Desk, port: int | None, say: Callable[[str], None], *, browser: bool = True) -> None:
    """Serve the page until it is ended.

    Parameters
    ----------
    desk
        What it shows.
    port
        On which port; a free one where None.
    say
        Is given the link.
    browser
        Whether to open it in the machine's browser.

    Raises
    ------
    UsageError
        If the port is taken.
    """
    listening = socket.socket()
    try:
        listening.bind((LOOPBACK, port or 0))
    except OSError as exc:
        listening.close()
        raise UsageError(text("local_page.port_taken", desk.lang, port=port)) from exc
    number = int(listening.getsockname()[1])
    server: Any = None

    def shut_down() -> None:
        threading.Timer(ENDING_SECONDS, lambda: setattr(server, "should_exit", True)).start()

    guard = create_application(desk, number, shut_down)
    logging.getLogger("nicegui").setLevel(logging.ERROR)
    config = uvicorn.Config(
        guard,
        log_level="warning",
        access_log=False,
        ws_max_size=BIGGEST_MESSAGE,
        timeout_graceful_shutdown=2,
        server_header=False,
    )
    server = uvicorn.Server(config)
    link = guard.link
    say(text("local_page.started", desk.lang, link=link))
    if browser:
        threading.Timer(0.5, webbrowser.open, args=(link,)).start()
    try:
        server.run(sockets=[listening])
    finally:
        desk.close()
    say(text("local_page.ended", desk.lang))
