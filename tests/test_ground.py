"""What stands around the code: environment, lock, declarations."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from riskmodel import benchmark, features, rules
from riskmodel.data.schema import contract
from riskmodel.models import MODELS
from riskmodel.runs import design_matrix, load_experiment

ROOT = Path(__file__).resolve().parents[1]


# Extras that only who asks for them gets, each with its own lock: PySpark is 480 MB and needs Java.
LOCKED_APART = ("spark",)


def pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_environment_yml_says_what_pyproject_says() -> None:
    env = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    project = pyproject()["project"]
    plain = [d for d in env["dependencies"] if isinstance(d, str)]
    pip = next(d["pip"] for d in env["dependencies"] if isinstance(d, dict))
    # All versions come from pyproject through pip; conda gives the interpreter alone.
    assert plain == [f"python{project['requires-python']}", "pip"]
    match = re.fullmatch(r"-e \.\[([a-z,]+)\]", pip[0])
    assert match
    assert len(pip) == 1
    assert set(match[1].split(",")) == set(project["optional-dependencies"]) - {"dev", *LOCKED_APART}


def test_lock_has_hashes_and_no_address() -> None:
    for name in ("lock.txt", "bootstrap.txt", *(f"{extra}.txt" for extra in LOCKED_APART)):
        text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
        pins = re.findall(r"^([a-z0-9][a-z0-9._-]*)==", text, flags=re.MULTILINE)
        assert pins
        assert len(re.findall(r"--hash=sha256:", text)) >= len(pins)
        assert "://" not in text
        assert "--index-url" not in text


def test_lock_pins_every_declared_dependency() -> None:
    project = pyproject()["project"]
    extras = dict(project["optional-dependencies"])
    apart = {extra: extras.pop(extra) for extra in LOCKED_APART}
    locks = {"lock": [*project["dependencies"], *(d for e in extras.values() for d in e)], **apart}
    for lock, declared in locks.items():
        text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
        pinned = set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", text, flags=re.MULTILINE))
        names = {re.split(r"[\[<>=!;~ ]", d)[0].lower() for d in declared} - {"riskmodel"}
        assert {n.replace("_", "-") for n in names} <= pinned


# Distributions whose module has another name.
MODULES = {
    "scikit-learn": "sklearn", "ibis-framework": "ibis", "pyyaml": "yaml", "interpret-core": "interpret",
    "python-docx": "docx", "pylopdf-fonts-zh-cn": "pylopdf_fonts_zh_cn",
}  # fmt: skip
# Core dependencies that nothing imports, and why they are declared.
NOT_IMPORTED = {"sqlglot": "a bound for ibis, which breaks with later ones"}


def _modules(requirements: list[str]) -> set[str]:
    names = {re.split(r"[\[<>=!;~ ]", r)[0].lower() for r in requirements} - {"riskmodel"}
    return {MODULES.get(n, n.replace("-", "_")) for n in names}


def _imported() -> set[str]:
    found = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {a.name.split(".")[0] for a in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - {"riskmodel"}


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    project = pyproject()["project"]
    core = _modules(project["dependencies"])
    extras = {e: _modules(d) for e, d in project["optional-dependencies"].items() if e != "dev"}
    assert _imported() <= core.union(*extras.values())
    assert core - _imported() == set(NOT_IMPORTED)


# The bench is a declaration of its own, over several experiments.
EXPERIMENTS = sorted(p for p in (ROOT / "experiments").glob("*.yaml") if p.stem != "bench")


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda p: p.stem)
def test_every_experiment_loads_and_names_what_there_is(path: Path) -> None:
    exp = load_experiment(path)
    assert exp.id == path.stem
    assert rules.load_rules(exp.ruleset).id
    columns = features.load_feature_set(exp.feature_set).names
    assert set(exp.model_params.get("past_income", {}).get("columns", [])) <= set(columns)


@pytest.mark.parametrize("path", sorted((ROOT / "features").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_feature_set_loads(path: Path) -> None:
    assert features.load_feature_set(path).id == path.stem


def test_every_model_is_used_by_some_experiment() -> None:
    used = {m for p in EXPERIMENTS for m in load_experiment(p).models}
    assert used | set(benchmark.load_benchmark("bench").models) == set(MODELS)


def test_the_bench_loads_and_names_what_there_is() -> None:
    declared = benchmark.load_benchmark("bench")
    assert declared.id == "bench"
    for name in declared.rulesets:
        assert rules.load_rules(name).id == name
    for panel in declared.panels:
        if panel.experiment is None:
            continue
        exp = declared.experiment_of(panel)
        # What the experiment leaves out is not there either.
        columns = set(design_matrix.resolve_feature_set(exp).names)
        for params in exp.model_params.values():
            named = {*params.get("columns", []), *params.get("predictors", [])}
            assert named | ({params["duration"]} if "duration" in params else set()) <= columns, panel.id


def test_contract_headers_are_unambiguous() -> None:
    for name, table in contract().tables.items():
        headers = [c.zh for c in table.columns.values()]
        assert len(set(headers)) == len(headers), name
        assert set(table.key) <= set(table.columns)
        assert table.event_date is None or table.event_date in table.columns
