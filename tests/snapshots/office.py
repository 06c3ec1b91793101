"""The calls whose outputs are kept: every verb, as a user types it, on small simulated counties.

Nothing here imports the package but its command line, so that its modules may move.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import typer
import yaml
from typer.testing import CliRunner

from riskmodel.cli.app import app
from tests.declarations import PLAIN_COUNTY

from .rendering import Renderer

ROOT = Path(__file__).resolve().parents[2]
INPUTS = Path(__file__).parent / "inputs"
AS_OF = "2020-12-31"
STORE = ("--store", "mlflow.db")

STEPS: dict[str, Callable[[Office], None]] = {}
SLOW: set[str] = set()


def step(function: Callable[[Office], None]) -> Callable[[Office], None]:
    """Register a step; its name is that of the folder of its expected texts."""
    STEPS[function.__name__] = function
    return function


def slow_step(function: Callable[[Office], None]) -> Callable[[Office], None]:
    """Register a step that costs too much for every run of the tests."""
    SLOW.add(function.__name__)
    return step(function)


class Office:
    """A folder in which steps run, each once and after those that it needs; keeps what each one wrote.

    The working directory has to be `home` while a step runs.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.seconds: dict[str, float] = {}
        self._texts: dict[str, dict[str, str] | Exception] = {}
        self._current = ""
        self._written: dict[str, str] = {}
        self.renderer = Renderer(home, ROOT)
        self.run_id = ""

    def texts(self, name: str) -> dict[str, str]:
        """Return what a step wrote, by file name, as text; run it if it has not run yet."""
        if name not in self._texts:
            before = self._current, self._written
            self._current, self._written = name, {}
            began = time.process_time()
            try:
                STEPS[name](self)
                self._texts[name] = self._written
            except Exception as exc:
                self._texts[name] = exc
            self.seconds[name] = time.process_time() - began
            self._current, self._written = before
        found = self._texts[name]
        if isinstance(found, Exception):
            raise RuntimeError(f"step {name} failed") from found
        return found

    def needs(self, *names: str) -> None:
        """Run other steps first."""
        for name in names:
            self.texts(name)

    def call(self, *arguments: object, label: str = "console", code: int = 0, as_json: bool = True) -> Any:
        """Call a verb; keep its exit code, messages and summary; return the summary."""
        words = [str(a) for a in arguments] + (["--json"] if as_json else [])
        done = CliRunner().invoke(app, words)
        if done.exit_code != code:
            raise AssertionError(f"{' '.join(words)}: exit code {done.exit_code}\n{done.stderr}") from (
                done.exception if not isinstance(done.exception, SystemExit) else None
            )
        summary = json.loads(done.stdout) if as_json and done.stdout.strip() else None
        said = self.renderer.value(summary) if summary is not None else self.renderer.text(done.stdout)
        self._written[label] = (
            f"$ riskmodel {self.renderer.text(' '.join(words))}\nexit code: {done.exit_code}\n"
            f"--- messages\n{self.renderer.text(done.stderr)}--- output\n{said}\n"
        )
        return summary

    def keep(self, *paths: str) -> None:
        """Keep files, or all files of folders, and the listing of their names."""
        for name, file in self.list_files(*paths).items():
            shown = self.renderer.file(file)
            if shown is not None:
                self._written[name] = shown

    def list_files(self, *paths: str) -> dict[str, Path]:
        """Keep the names of files, or of all files of folders; return the files by their names."""
        found = {}
        for path in paths:
            top = self.home / path
            # The log of a list is named by its digest (its content: tests/scoring); marks of ours are hidden.
            every = [top] if top.is_file() else [p for p in top.rglob("*") if p.parent.name != "lists"]
            for file in sorted(p for p in every if p.is_file() and p.name != ".riskmodel.json"):
                found[self.renderer.text(file.relative_to(self.home).as_posix())] = file
        self._written["files"] = self._written.get("files", "") + "".join(f"{n}\n" for n in sorted(found))
        return found

    def write(self, name: str, text: str) -> None:
        """Keep a text that is no file."""
        self._written[name] = text


def _experiment(office: Office) -> Path:
    """Write the county's experiment with little of everything: what is kept is the form, not the skill."""
    declared = yaml.safe_load(PLAIN_COUNTY.read_text(encoding="utf-8"))
    shutil.copyfile(INPUTS / "features.yaml", office.home / "features.yaml")
    declared |= {
        "id": "county",
        "models": ["rule", "past_income", "logit", "scorecard"],
        "bootstrap": 20,
        "feature_set": "features.yaml",
        "split": {"folds": 1},
        # So small a county passes no gate, and reasons of a model are what a reader sees most of.
        "gate": None,
    }
    path = office.home / "county.yaml"
    path.write_text(yaml.safe_dump(declared, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def _own_store(name: str) -> tuple[str, str]:
    return ("--store", f"{name}.db")


def _trained_store(office: Office, name: str) -> tuple[str, str]:
    """Return ``--store`` with a copy of the trained store: what a step logs no other step sees."""
    office.needs("train")
    shutil.copyfile(office.home / "mlflow.db", office.home / f"{name}.db")
    return _own_store(name)


# The county of 60 households: all that needs no model.


@step
def help_texts(office: Office) -> None:
    office.call("--help", label="riskmodel", as_json=False)
    root: Any = typer.main.get_command(app)
    context = typer.Context(root)
    for name in root.list_commands(context):
        office.call(name, "--help", label=name, as_json=False)
        group: Any = root.get_command(context, name)
        # The importers' commands are made when they are asked for.
        for inner in group.list_commands(context) if hasattr(group, "list_commands") else ():
            office.call(name, inner, "--help", label=f"{name}-{inner}", as_json=False)


@step
def simulate(office: Office) -> None:
    office.call(
        "simulate", "small", "--households", 60, "--months", 48, "--seed", 5, "--futures", 5,
        "--truth-sample", 20, "--horizon", 6, "--horizon", 12,
    )  # fmt: skip
    office.keep("small")


@step
def simulate_dirty(office: Office) -> None:
    office.call(
        "simulate", "dirty", "--households", 60, "--months", 48, "--seed", 5, "--futures", 0,
        "--dirty", "default", "--register", "county-2020",
    )  # fmt: skip
    office.keep("dirty")


@step
def check(office: Office) -> None:
    office.needs("simulate")
    office.call("check", "small", "--out", "check", "--line", 8000, "--lang", "en", as_json=False)
    office.keep("check")


@step
def check_dirty(office: Office) -> None:
    office.needs("simulate_dirty")
    log = ("--spoiled", "dirty/spoiled/spoiled.csv")
    office.call("check", "dirty", "--out", "check-dirty", "--max-rejected", 1, *log)
    # Rows that repeat others, and cells that cannot be read, refuse nothing; a negative income does.
    shutil.copytree(office.home / "dirty", office.home / "refused")
    income = pd.read_parquet(office.home / "refused" / "income.parquet")
    income.loc[3, "amount"] = -1
    income.to_parquet(office.home / "refused" / "income.parquet", index=False)
    office.call(
        "check", "refused", "--out", "check-refused", "--max-rejected", 0, label="console-refused", code=1
    )
    office.keep("check-dirty", "check-refused")


@step
def rules(office: Office) -> None:
    office.needs("simulate")
    for lang in ("zh", "en"):
        office.call("rules", "--list", "--lang", lang, label=f"console-list-{lang}", as_json=False)
    day = ("--as-of", AS_OF)
    office.call(
        "rules", "small", "--ruleset", "national-2021", *day, "--out", "rules/national.csv", label="console"
    )
    office.call(
        "rules", "small", "--ruleset", "county-2020", *day, "--since", "2020-06-30", "--out",
        "rules/changes.csv", "--page", "rules/page", label="console-since",
    )  # fmt: skip
    verdicts = pd.read_csv(office.home / "rules" / "national.csv")
    flagged = verdicts.loc[verdicts["category"] != "none", "household_id"]
    one = (flagged if len(flagged) else verdicts["household_id"]).iloc[0]
    for lang in ("zh", "en"):
        office.call(
            "rules", "small", "--ruleset", "county-2020", *day, "--explain", one, "--lang", lang,
            label=f"console-explain-{lang}", as_json=False,
        )  # fmt: skip
    office.keep("rules")


@step
def ledger(office: Office) -> None:
    office.needs("simulate")
    year = ("--from", "2020-01-01", "--to", AS_OF)
    for lang in ("zh", "en"):
        office.call(
            "ledger", "small", *year, "--out", f"ledger/{lang}", "--lang", lang, label=f"console-{lang}"
        )
    published = office.home / "published.yaml"
    published.write_text(
        "period: 2020-Q1\nunit: {hh: households}\n"
        "categories:\n  a: {total: {hh: 10}, eliminated: {hh: 4}, remaining: {hh: 6}}\n"
        "  b: {total: {hh: 7}, eliminated: {hh: 3}, remaining: {hh: 5}}\n"
        "total: {total: {hh: 17}, eliminated: {hh: 6}, remaining: {hh: 11}}\n",
        encoding="utf-8",
    )
    office.call("ledger", "--check", published, code=1, label="console-check")
    office.call("ledger", "--check", published, code=1, label="console-check-text", as_json=False)
    office.keep("ledger")


@step
def features(office: Office) -> None:
    office.needs("simulate")
    for chosen in ("household-v1", "household-annual-v1", "eph-v1", "wagepan-v1"):
        office.call(
            "features", "--feature-set", chosen, "--describe", "--out", f"features/{chosen}.csv", label=chosen
        )
    dates = ("--as-of", "2019-12-31", "--as-of", AS_OF)
    office.call("features", "small", *dates, "--out", "features/all.csv")
    few = ("--feature-set", INPUTS / "features.yaml")
    office.call(
        "features", "small", *few, "--as-of", AS_OF, "--out", "features/few.xlsx", label="console-xlsx"
    )
    office.call("features", *few, "--describe", label="console-describe", as_json=False)
    office.keep("features")


@step
def forecast(office: Office) -> None:
    office.needs("simulate")
    office.call(
        "forecast", "small", "--as-of", AS_OF, "--out", "forecast", "--horizon", 6, *_own_store("forecast")
    )
    office.keep("forecast")
    office.write("mlflow", office.renderer.runs(office.home / "forecast.db"))


@slow_step
def forecast_checked(office: Office) -> None:
    office.needs("simulate")
    office.call(
        "forecast", "small", "--as-of", AS_OF, "--out", "forecast-checked", "--horizon", 3, "--lang", "en",
        "--check", "2019-12-31", *_own_store("forecast-checked"),
    )  # fmt: skip
    office.keep("forecast-checked")


@step
def stress(office: Office) -> None:
    office.needs("simulate")
    office.call(
        "stress", "small", "--as-of", AS_OF, "--out", "stress", "--scenario", "flood", "--scenario",
        "wages-down", "--draws", 50, *_own_store("stress"),
    )  # fmt: skip
    office.keep("stress")
    office.write("mlflow", office.renderer.runs(office.home / "stress.db"))


@step
def plan(office: Office) -> None:
    asked = ("--base-rate", 0.02, "--visits", 200, "--lift", 4, "--villages", 40, "--correlation", 0.02)
    office.call("plan", *asked, "--households", 4000, "--discordant", 0.3, "--out", "plan.xlsx")
    office.call("plan", *asked, label="console-text", as_json=False)
    office.keep("plan.xlsx")


@step
def import_eph(office: Office) -> None:
    office.call("import", "eph", INPUTS / "eph.csv", "eph")
    office.keep("eph")


@step
def import_wagepan(office: Office) -> None:
    office.call("import", "wagepan", "wagepan")
    office.keep("wagepan")


# The larger county: a model learns from at least ten events.


@step
def train(office: Office) -> None:
    office.call(
        "simulate",
        "county",
        "--households",
        600,
        "--months",
        48,
        "--seed",
        5,
        "--futures",
        20,
        "--truth-sample",
        600,
        "--truth-at",
        "2019-12-31",
        label="console-simulate",
    )
    told = office.call("train", _experiment(office), "--data", "county", "--follow", 6, *STORE)
    office.run_id = told["run_id"]
    office.write("mlflow", office.renderer.runs(office.home / "mlflow.db"))


@step
def compare(office: Office) -> None:
    office.needs("train")
    office.call(
        "compare", office.run_id, *STORE, "--out", "compare/table.xlsx", "--further", "compare/further"
    )
    for lang in ("zh", "en"):
        office.call("compare", office.run_id, *STORE, "--lang", lang, label=f"console-{lang}", as_json=False)
    office.keep("compare")


@step
def score(office: Office) -> None:
    store = _trained_store(office, "score")
    for name, model, lang in (("zh.parquet", "champion", "zh"), ("en.csv", "scorecard", "en")):
        office.call(
            "score", "county", "--model", f"county@{model}", "--as-of", AS_OF, "--out", f"scores/{name}",
            "--lang", lang, *store, label=f"console-{lang}",
        )  # fmt: skip
    office.keep("scores")


@step
def rules_by_scores(office: Office) -> None:
    office.needs("score")
    office.call(
        "rules", "county", "--ruleset", "cards-2023", "--as-of", AS_OF, "--scores", "scores/zh.parquet",
        "--out", "cards.xlsx", "--param", "line=9000",
    )  # fmt: skip
    office.keep("cards.xlsx")


def _names(office: Office) -> Path:
    path = office.home / "names.csv"
    ids = pd.read_parquet(office.home / "scores" / "zh.parquet")["household_id"].sort_values()
    path.write_text(
        "户编号,户主姓名\n" + "".join(f"{h},某某{i}\n" for i, h in enumerate(ids)), encoding="utf-8"
    )
    return path


@step
def worklist(office: Office) -> None:
    office.needs("score")
    office.call(
        "worklist", "scores/zh.parquet", "--data", "county", "--visits", 90, "--out", "list/zh.xlsx",
        "--quota", "village:1", "--names", _names(office).name, "--sheets", "list/sheets.html",
        "--random-share", 0.2,
    )  # fmt: skip
    office.call(
        "worklist", "scores/en.csv", "--visits", 15, "--out", "list/en.xlsx", "--lang", "en", "--by", "none",
        "--beyond", "half", label="console-en",
    )  # fmt: skip
    office.keep("list")


@step
def visits_import(office: Office) -> None:
    office.needs("worklist")
    shutil.copytree(office.home / "county", office.home / "visited")
    book = openpyxl.load_workbook(office.home / "list" / "zh.xlsx")
    page = book["核查名单"]
    at = {cell.value: cell.column for cell in page[1]}
    planned = [r for r in range(2, page.max_row + 1) if page.cell(r, at["计划"]).value == "是"]
    for k, row in enumerate(planned[:12]):
        page.cell(row, at["核查结果"]).value = ("属实", "不属实")[k % 2]
        page.cell(row, at["核查日期"]).value = pd.Timestamp("2021-01-10").to_pydatetime()
    page.cell(planned[11], at["核查结果"]).value = "也许"
    book.save(office.home / "filled.xlsx")
    day = ("--recorded-on", "2021-01-20", "--lists", "list")
    office.call(
        "visits", "import", "filled.xlsx", "--into", "visited", *day, "--out", "visit-faults.csv",
        label="console-faults", code=1,
    )  # fmt: skip
    page.cell(planned[11], at["核查结果"]).value = "不属实"
    book.save(office.home / "filled.xlsx")
    office.call(
        "visits", "import", "filled.xlsx", "--into", "visited", *day, "--dry-run", label="console-dry"
    )
    office.call("visits", "import", "filled.xlsx", "--into", "visited", *day)
    office.call("visits", "import", "filled.xlsx", "--into", "visited", *day, label="console-again")
    office.keep("visit-faults.csv", "visited/visits.parquet")


@step
def report(office: Office) -> None:
    office.needs("score", "forecast")
    office.call(
        "report", office.run_id, "--out", "report", "--scores", "scores/zh.parquet", "--data", "county",
        "--forecast", "forecast", *STORE,
    )  # fmt: skip
    office.keep("report")


@step
def month(office: Office) -> None:
    store = _trained_store(office, "month")
    office.needs("score")
    asked = ("--visits", 20, "--by", "village", "--names", _names(office).name)
    office.call("month", "county", "--as-of", AS_OF, "--out", "months", *asked, *store)
    office.call("month", "county", "--as-of", AS_OF, "--out", "months", *asked, *store, label="console-again")
    office.keep("months")
    office.call("months", "months", label="console-months", as_json=False)
    office.call("months", "months", "--out", "past.csv", label="console-past")
    one = pd.read_parquet(office.home / "scores" / "zh.parquet")["household_id"].iloc[0]
    office.call("months", "months", "--household", one, label="console-household")
    office.keep("past.csv")


@step
def why(office: Office) -> None:
    office.needs("score")
    one = pd.read_parquet(office.home / "scores" / "zh.parquet")["household_id"].iloc[0]
    office.call(
        "why", "county", "--household", one, "--model", "county@champion", "--as-of", AS_OF, "--target", 0.01,
        "--out", "why.csv", *STORE,
    )  # fmt: skip
    office.keep("why.csv")


@step
def monitor(office: Office) -> None:
    store = _trained_store(office, "monitor")
    office.needs("month")
    office.call(
        "monitor", "county", "--as-of", AS_OF, "--months", "months", "--out", "monitor", *store,
    )  # fmt: skip
    office.keep("monitor")


@step
def card(office: Office) -> None:
    office.needs("train")
    for model in ("champion", "scorecard"):
        office.call("card", f"county@{model}", "--out", f"card/{model}", *STORE, label=f"console-{model}")
    office.keep("card")


@step
def promote(office: Office) -> None:
    store = _trained_store(office, "promote")
    office.call("promote", "county", "--challenger", "scorecard", "--data", "county", *store, code=1)
    office.call(
        "promote", "county", "--challenger", "scorecard", "--override", "the office asked for points", *store,
        label="console-override",
    )  # fmt: skip
    office.call(
        "promote", "county", "--challenger", "logit", *store, label="console-text", as_json=False, code=1
    )


@slow_step
def bench(office: Office) -> None:
    declared = yaml.safe_load((ROOT / "experiments" / "bench.yaml").read_text(encoding="utf-8"))
    declared |= {
        "id": "tiny",
        "models": ["rule", "past_income", "logit"], "rulesets": ["national-2021", "county-2020"],
        "bootstrap": 20, "bootstrap_test": 20, "model_params": {},
    }  # fmt: skip
    declared["panels"] = [p for p in declared["panels"] if p["id"] == "wagepan-entry"]
    declared["panels"][0]["model_params"] = {"past_income": {"columns": ["line_ratio"]}}
    path = office.home / "tiny.yaml"
    path.write_text(yaml.safe_dump(declared, allow_unicode=True, sort_keys=False), encoding="utf-8")
    office.call("bench", path, "--out", "bench", "--quick", "--jobs", 1, *_own_store("bench"))
    office.keep("bench")


@slow_step
def demo(office: Office) -> None:
    office.call("demo", "--out", "demo", "--households", 600, "--months", 48, *_own_store("demo"))
    office.list_files("demo")  # what is in them, the verbs show above


@step
def simulate_validate(office: Office) -> None:
    office.call("simulate", "--validate", "--households", 300, "--seed", 3, as_json=False)
