"""The command line: one verb a function, each in the module of the people it serves."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; exits with 0 (done), 1 (input refused) or 2 (usage)."""
    import os

    # Set before any numerical library is imported by a verb.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    for stream in (sys.stdout, sys.stderr):
        # A county office's terminal may not be UTF-8; a verb must not die on a Chinese character.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    from riskmodel.cli.app import app

    app()
