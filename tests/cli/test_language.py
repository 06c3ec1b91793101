"""Help, usage errors and messages in the language of the call or of the system."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from riskmodel import i18n
from riskmodel.cli import common, language
from riskmodel.cli.app import app

from .conftest import run


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, command
    context = typer.Context(command)
    for name in command.list_commands(context) if hasattr(command, "list_commands") else ():
        yield from commands(command.get_command(context, name), (*path, name))


def test_every_text_of_help_has_its_chinese() -> None:
    known = i18n.sentences_of("cli.help")
    missing = [
        (path, paragraph)
        for path, command in commands(typer.main.get_command(app))
        for text in filter(None, [command.help, *(getattr(p, "help", None) for p in command.params)])
        for paragraph in language.paragraphs(text)
        if known.chinese(paragraph) is None
    ]
    assert not missing, "give their Chinese in src/riskmodel/i18n/words/cli.yaml, under help"


@pytest.mark.parametrize(
    "call", ["--help", "simulate --help", "visits import --help", "import --help", "month"]
)
def test_a_page_of_help_is_chinese_by_the_option_and_by_the_environment(
    call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = run("--lang", "zh", *call.split())
    monkeypatch.setenv(language.VARIABLE, "zh_CN")
    assert run(*call.split()).output == before.output
    assert before.output.startswith("用法：")
    # The last line of help, that of --help itself, is the toolkit's.
    assert "Show this" not in before.output
    assert max(language._width(line) for line in before.output.splitlines()) <= 80
    shown = run("--lang", "en", *call.split())
    assert shown.output.startswith("Usage: ")
    assert shown.exit_code == before.exit_code


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ("month", "缺少参数 'DATA'"),
        ("month x --as-ov 3", "没有选项 --as-ov（可能是：--as-of, --json）"),
        ("mont", "没有命令 'mont'。是否指 'month', 'months', 'monitor'？"),
        ("worklist s --visits x", "'--visits' 的取值有误：应为整数"),
        ("worklist s --visits 0", "应不小于 1"),
        ("worklist s --visits 3 --by foo", "'foo' 不在可选值之内"),
        ("check x y", "多出的参数：y"),
        ("check --memory", "选项 '--memory' 需要取值"),
    ],
)
def test_a_wrong_call_is_told_in_chinese_with_the_same_code(call: str, says: str) -> None:
    said = run("--lang", "zh", *call.split())
    assert says in said.output
    assert said.exit_code == run(*call.split()).exit_code == 2


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN"}, "zh"),
        ({"RISKMODEL_LANG": "en", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"RISKMODEL_LANG": "ZH"}, "zh"),
    ],
)
def test_the_system_s_language_is_the_environment_s(environment: dict[str, str], expected: str) -> None:
    assert language.system_language(environment) == expected


def test_windows_is_asked_where_the_environment_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for code, expected in ((0x0804, "zh"), (0x0404, "zh"), (0x0409, "en")):
        monkeypatch.setattr(language, "_windows_language", lambda code=code: code)
        assert language.system_language({}) == expected


def test_an_unknown_language_is_refused_wherever_it_stands() -> None:
    for call in (
        "--lang fr check x",
        "check x --lang fr",
        "simulate --lang fr",
        "visits import x --into y --lang fr",
    ):
        said = run(*call.split())
        assert said.exit_code == 2
        assert "language 'fr' is unknown; allowed: zh, en" in said.output


# Names that stay as they are in what a verb says in Chinese: verbs and products, files, ids, keys.
NAMES = re.compile(
    r"""`[^`]*` | '[^']*' | --?[a-z][\w-]* | [\w./-]*\.(?:csv|xlsx|yaml|db|parquet|md|html) | [\w.-]*/[\w./-]*
    | [a-z]+(?:[-_@][a-z0-9]+)+ | [A-Z][A-Z]+ | \b[0-9a-f]{20,}\b | riskmodel(?:\ [a-z]+)? | \([A-Za-z ]+\)
    | small | spoiled | default | national | none | nowhere
    | households | members | income | causes | dynamic | natural | measures | bands | workload""",
    re.VERBOSE,
)
CALLS = {
    "rules small --ruleset natonal-2021 --as-of 2019-05-31 --out rules.csv": 2,
    "check nowhere --out check": 1,
    "ledger small --from 2019-01-01": 2,
    "plan --base-rate 0.02 --visits 200": 0,
    "month nowhere --as-of 2019-05-31 --visits 5 --store none.db": 1,
    "months none": 1,
    "import template filled.xlsx": 0,
    "import template ./filled.xlsx": 1,
    "visits import filled.xlsx --into nowhere": 1,
}
SLOW_CALLS = {
    "simulate small --households 20 --months 30 --futures 0 --dirty default": 0,
    "check small --out check --spoiled small/spoiled/spoiled.csv": 0,
    "rules small --ruleset national-2021 --as-of 2023-05-31 --out rules.csv": 0,
    "ledger small --from 2019-01-01 --to 2019-05-31 --out out/ledger": 0,
    "features small --feature-set household-v1 --as-of 2019-05-31 --out f.csv": 0,
}


@pytest.mark.parametrize(
    "calls", [CALLS, pytest.param(SLOW_CALLS, marks=pytest.mark.slow)], ids=["quick", "slow"]
)
def test_no_verb_says_an_english_word(
    calls: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    left, codes = {}, {}
    for call in calls:
        done = run("--lang", "zh", *call.split())
        codes[call] = done.exit_code
        if words := re.findall(r"[A-Za-z]{3,}", NAMES.sub(" ", done.output)):
            left[call] = words
    assert codes == calls
    assert left == {}


def test_a_summary_for_machines_stays_english(tmp_path: Path) -> None:
    county = tmp_path / "county"
    done = run(
        "--lang", "zh", "simulate", county, "--households", 20, "--months", 24, "--futures", 0, "--json"
    )
    assert json.loads(done.stdout)["households"] == 20
    assert "正在模拟 20 户" in done.stderr


def test_a_fault_of_ours_says_in_chinese_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(common, "_refuse_early", broken)
    done = run("--lang", "zh", "simulate", "x")
    assert done.exit_code == common.OUR_FAULT
    assert "程序出错" in done.stderr
    assert "RISKMODEL_DEBUG=1" in done.stderr
    assert "软件维护人员" in done.stderr
    monkeypatch.undo()
    assert "a fault of ours" not in done.stderr


def test_nothing_of_a_call_s_language_is_left_after_it() -> None:
    run("--lang", "zh", "check", "nowhere")
    assert i18n.spoken_language() == "en"
    assert language.asked_language() is None


def test_every_option_has_a_text_of_help() -> None:
    root = commands(typer.main.get_command(app))
    assert [
        (path, p.opts) for path, command in root for p in command.params if not getattr(p, "help", None)
    ] == []
