"""Memory and threads are limited in one place for every verb; verbs that only say something start light."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from riskmodel.cli import common
from riskmodel.cli.app import app
from riskmodel.errors import UsageError
from riskmodel.io import limit_resources, resource_limits

# What reads no table of a county: a plan, a card, runs, a county made up, an empty workbook.
# The page reads in processes of its own, each within the limits of the verb that it does.
LIGHT = {"plan", "card", "compare", "simulate", "import template", "office"}
HEAVY = ["scipy.stats", "sklearn", "statsmodels", "mlflow", "lightgbm", "shap", "matplotlib"]
ENGINES = [*HEAVY, "pandas", "ibis", "duckdb", "pyarrow"]


def verbs() -> Iterator[tuple[str, Any]]:
    def of(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        context = typer.Context(command)
        for name in command.list_commands(context):
            one = command.get_command(context, name)
            if hasattr(one, "list_commands"):
                yield from of(one, (*path, name))
            else:
                yield " ".join((*path, name)), one

    return of(typer.main.get_command(app), ())


def test_every_verb_that_reads_takes_memory_and_threads() -> None:
    without = {
        name
        for name, command in verbs()
        if not {"--memory", "--threads"} <= {o for p in command.params for o in p.opts}
    }
    assert without == LIGHT


@pytest.mark.parametrize("reading", [False, True])
def test_limits_hold_before_the_verb_begins(reading: bool) -> None:
    seen = []

    def alone() -> None:
        seen.append(resource_limits())

    def with_county(reading: common.ReadingOptions = common.READING) -> None:
        seen.append(resource_limits())
        assert reading.max_rejected == 0.2

    try:
        if reading:
            common.verb(with_county)(memory="1GiB", threads=1, max_rejected=0.2)
        else:
            common.verb(alone)(memory="1GiB", threads=1)
    finally:
        limit_resources()
    assert [(s.memory, s.threads) for s in seen] == [("1GiB", 1)]


def test_a_wrong_amount_is_the_callers_mistake() -> None:
    with pytest.raises(UsageError, match="800MB"):
        limit_resources("much")
    with pytest.raises(typer.Exit) as exit_:
        common.verb(lambda: None)(memory="much", threads=None)
    assert exit_.value.exit_code == common.USAGE


@pytest.mark.parametrize(
    ("call", "absent"),
    [
        (["--help"], [*ENGINES, "numpy"]),
        (["plan", "--base-rate", "0.01", "--visits", "100"], ENGINES),
        (["rules", "--list"], [*ENGINES, "numpy"]),
    ],
    ids=["help", "plan", "rules"],
)
def test_verbs_that_only_say_something_load_no_engine(call: list[str], absent: list[str]) -> None:
    code = (
        "import sys\nfrom riskmodel.cli import main\ntry:\n    main()\nexcept SystemExit as exc:\n"
        f"    assert not exc.code\nprint([m for m in {absent} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, *call], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
