"""The examples of CONTRIBUTING.md and README.md are carried out as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import riskmodel

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = re.compile(r"```(?:python|yaml)\n# ((?:src|tests)/\S+)\n(.*?)```", flags=re.DOTALL)
# The packages whose registries look into their own folder: the examples' files lie beside the real ones.
OPEN = """
import importlib
from pathlib import Path

for name in ("models", "evaluation", "presentation", "features"):
    package = importlib.import_module(f"riskmodel.{name}")
    package.__path__.append(str(Path(__file__).parent / "src/riskmodel" / name.replace(".", "/")))
"""


def test_every_worked_example_runs_as_it_stands(tmp_path: Path) -> None:
    examples = dict(EXAMPLE.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))
    tests = sorted(path for path in examples if path.startswith("tests/"))
    # Rule set, aggregate, model, metric, section of the report, panel: a file and its test each.
    assert len(tests) == 6
    assert len(examples) == 12
    for path, text in examples.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    (tmp_path / "conftest.py").write_text(OPEN, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n", encoding="utf-8")
    source = str(Path(riskmodel.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests], cwd=tmp_path, text=True,
        capture_output=True, check=False, env=os.environ | {"PYTHONPATH": source},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout


def test_the_readme_s_python_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 1
    names: dict[str, object] = {}
    exec(blocks[0], names)
    # 60 households known at the as-of date, each with a verdict.
    assert len(names["verdicts"]) == len(names["features"])
