"""The table of demands: each line is met, outside or open, and every command and form it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import typer

from riskmodel.cli.app import app
from riskmodel.forms import available_forms
from riskmodel.rule_files import available_rule_sets

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "demands.md").read_text(encoding="utf-8")
LINES = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if line.startswith("| ") and not line.startswith(("| section", "|---"))
]
COMMANDS = sorted(set(re.findall(r"`riskmodel ([^`]+)`", TEXT)))


def test_every_demand_is_met_outside_or_open():
    assert 80 <= len(LINES) <= 150
    assert not [line for line in LINES if len(line) != 4 or line[2] not in ("met", "outside", "open")]
    assert not [line for line in LINES if line[2] == "met" and "`riskmodel " not in line[3]]
    assert not [line for line in LINES if not line[3]]


def test_every_command_named_exists_with_its_options():
    for call in COMMANDS:
        _check(call)


def _check(call):
    command = typer.main.get_command(app)
    words = call.split()
    while words and not words[0].startswith("-") and hasattr(command, "commands"):
        command = command.get_command(typer.Context(command), words.pop(0))
        assert command is not None, call
    options = {name for parameter in command.params for name in parameter.opts}
    assert not [word for word in words if word.startswith("--") and word not in options]
    for option, known in (("--form", available_forms()), ("--ruleset", available_rule_sets())):
        if option in words:
            assert words[words.index(option) + 1] in known
