"""`benchmarks/structure.py` on an invented package whose figures are known by counting its few lines."""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "structure.py"

FILES = {
    "src/riskmodel/__init__.py": '"""Root."""\n',
    "src/riskmodel/data/__init__.py": "from riskmodel.data.tests import holm\n",
    "src/riskmodel/data/tests.py": '''"""Tests."""
# Comment of its own.


def holm(p, alpha, name):
    """Adjust.

    Parameters
    ----------
    p : array
        In 0..1.
    alpha : float
    name : str

    Returns
    -------
    array

    Raises
    ------
    ValueError
    """
    return p  # beside code: no line of comment


def build():
    return {"zh": "县", "en": "county"}
''',
    "src/riskmodel/data/words.py": """WORDS = "words.yaml"


def read():
    return open(WORDS)


def other():
    return f"<p>{WORDS}</p>"
""",
    "src/riskmodel/data/words.yaml": "a: {zh: 县, en: county}\nb:\n  zh: 户\n  en: household\n",
    "src/riskmodel/data/declared.yaml": "a:\n  zh: 县\n  of: 3\n  value: 4\n",
    "src/riskmodel/rules.py": """import riskmodel.simulate
from riskmodel.data.tests import holm


def later():
    from riskmodel.data import words

    return words
""",
    "src/riskmodel/simulate/__init__.py": "from riskmodel.data import holm\n",
    "src/riskmodel/simulate/world.py": "x = 1\n" * 501,
    "tests/data/test_words.py": "",
}


@pytest.fixture(scope="module")
def structure() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmarks_structure", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # a dataclass looks its module up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def test_importers_are_counted_with_init_and_users_without_it(structure: ModuleType, checkout: Path) -> None:
    modules = structure.Checkout(checkout)
    # data.tests is imported by its __init__ and by rules, so it has two; data itself by simulate alone,
    # words by rules alone (inside a function), simulate by rules alone.
    assert structure.one_importer(modules).items == (
        "riskmodel.data <- riskmodel.simulate",
        "riskmodel.data.words <- riskmodel.rules",
        "riskmodel.simulate <- riskmodel.rules",
    )
    # The name holm is used by rules and by simulate; the latter is itself an __init__, which is not asked,
    # so one user remains.
    assert structure.one_user(modules).items == (
        "riskmodel.data.tests <- riskmodel.rules",
        "riskmodel.data.words <- riskmodel.rules",
    )


def test_figures_are_those_one_counts_by_hand(structure: ModuleType, checkout: Path) -> None:
    figures = {key: one.value for key, one in structure.measure_checkout(checkout).items()}
    expected = {
        "modules": 7,
        "too_long": 1,  # world has 501 lines
        # data 1; tests 2 functions with a return each; words an assignment and twice two; rules 2 imports,
        # a function and its 2; simulate 1; world 501. Docstrings are none.
        "statements": 1 + 4 + 5 + 5 + 1 + 501,
        "bare_entries": 3,  # alpha, name and the returned array; p is described, Raises is not asked
        "inner_imports": 2,  # rules reaches data.tests and data.words below the __init__ of data ...
        "inner_imports_at_load": 1,  # ... the second only once later() runs
        "zh_literals": 1,
        "zh_modules": 1,
        "word_files": 1,  # a third of declared.yaml's values are words
        "word_loaders": 2,  # read and other both use the constant that names the file
        "html_modules": 1,
        "called_build": 1,
        "called_read": 1,
        "called_write": 0,
        "simulator_loaded": 1,  # its __init__; world is imported by nobody
        "tested": 25.0,  # of tests, words, rules and world only words has its file
        "again_Holm": 1,
        "again_Wilson": 0,
    }
    assert {key: figures[key] for key in expected} == expected
    # Docstrings: 1 line of the root, 1 of tests, 17 of holm; one line of comment alone.
    lines = sum(len(text.splitlines()) for name, text in FILES.items() if name.endswith(".py"))
    assert figures["lines"] == lines
    assert figures["documentation"] == round(100 * (1 + 1 + 17 + 1) / lines, 1)


@pytest.mark.parametrize(
    ("text", "by_name"),
    [
        ("MODELS.register(Entry())\n", True),
        ("@report_section('x', order=1)\ndef parts(): ...\n", True),
        ("@verb\ndef rules(): ...\n", True),
        ("MODELS: Registry[Entry] = Registry('model', 'riskmodel.models')\n", True),
        ("def register(): ...\nx = register()\n", False),
    ],
)
def test_what_registers_itself_is_reached_by_name(
    structure: ModuleType, tmp_path: Path, text: str, by_name: bool
) -> None:
    module = structure.Module("riskmodel.x", tmp_path / "x.py", text, ast.parse(text))
    assert structure.registers(module) == by_name


def test_a_limit_passed_is_said_and_a_reason_must_fit(structure: ModuleType, checkout: Path) -> None:
    figures = structure.measure_checkout(checkout)
    reasons = {
        "riskmodel.data.words": "holds the words",
        "riskmodel.gone": "was merged",
    }
    past = ": an inner module of another subpackage; take the name from its door"
    # One module too long, one of the simulator loaded, two reached past their door, one without a reason, one
    # reason without its module.
    assert structure.list_problems(figures, reasons) == [
        "riskmodel.simulate.world 501 lines: over 500; split it",
        "importing riskmodel.rules: riskmodel.simulate",
        f"riskmodel.rules -> riskmodel.data.tests{past}",
        f"riskmodel.rules -> riskmodel.data.words{past}",
        "riskmodel.data.tests has one user and no reason in single_users.txt",
        "riskmodel.gone is in single_users.txt but has not one user",
    ]
    assert structure.main([str(checkout), "--check"]) == 1


def test_rules_that_cannot_be_imported_are_no_zero(structure: ModuleType, checkout: Path) -> None:
    # A figure that was not taken must not pass for the wanted 0.
    (checkout / "src/riskmodel/rules.py").write_text("import nowhere_to_be_found\n", encoding="utf-8")
    figures = structure.measure_checkout(checkout)
    assert figures["simulator_loaded"].value is None
    assert any("nowhere_to_be_found" in line for line in structure.list_problems(figures, {}))


def test_before_and_now_stand_side_by_side(
    structure: ModuleType, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git = ["git", "-C", str(checkout), "-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    for step in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "before"]):
        subprocess.run([*git, *step], check=True)
    (checkout / "src/riskmodel/simulate/world.py").unlink()
    path = checkout / "figures.json"
    assert structure.main([str(checkout), "--before", "HEAD", "--json", str(path)]) == 0
    table = capsys.readouterr().out
    # The revision still has the module that the working tree has lost, with its 501 statements.
    assert "| modules under `src/riskmodel` | 7 | 6 | about half as many |" in table
    assert "| statements | 517 | 16 | −10 % or more |" in table
    sides = json.loads(path.read_text(encoding="utf-8"))
    assert [sides[side]["too_long"]["value"] for side in ("before", "now")] == [1, 0]
