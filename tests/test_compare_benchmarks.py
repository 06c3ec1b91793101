"""`benchmarks/compare.py` on two made runs: ratios, noise and who lost are counted by hand."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "compare.py"


@pytest.fixture(scope="module")
def compare():
    spec = importlib.util.spec_from_file_location("benchmarks_compare", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


OLD = {"benchmarks": [
    {"benchmark": "a", "size": {"n": 1}, "figures": {"steady": [1.0, 1.0], "noisy": [2.0, 3.0], "gone": 1.0}},
    {"benchmark": "b", "size": {"n": 1}, "figures": {"faster": 4.0, "slower": 1.0}},
]}  # fmt: skip
NEW = {"benchmarks": [
    {"benchmark": "a", "size": {"n": 2}, "figures": {"steady": [1.04, 1.02], "noisy": [2.9, 2.95]}},
    {"benchmark": "b", "size": {"n": 1}, "figures": {"faster": 2.0, "slower": 1.2, "added": 1.0}},
]}  # fmt: skip


def test_ratio_noise_and_verdict_of_every_figure(compare):
    changes = {c.name: c for c in compare.compare(compare.read_figures(OLD), compare.read_figures(NEW))}
    assert {name: c.verdict for name, c in changes.items()} == {
        "a: steady": "level", "a: noisy": "level", "a: gone": "gone",
        "b: faster": "better", "b: slower": "lost", "b: added": "new",
    }  # fmt: skip
    assert changes["b: faster"].ratio == 2.0
    assert changes["b: slower"].ratio == pytest.approx(1 / 1.2)
    # The rounds of the old run lie half of the least apart; 2.9 over 2.0 is within it.
    assert changes["a: noisy"].noise == 0.5
    assert changes["a: steady"].noise == 0.05
    assert changes["a: gone"].ratio is None


def test_a_wider_noise_lets_a_slower_figure_pass_and_a_narrower_one_does_not(compare):
    old, new = {"x": [1.0]}, {"x": [1.08]}
    verdicts = [compare.compare(old, new, noise)[0].verdict for noise in (0.05, 0.1)]
    assert verdicts == ["lost", "level"]


def test_what_lost_is_named_first_and_in_the_exit_code(compare, tmp_path, monkeypatch, capsys):
    paths = [tmp_path / "old.json", tmp_path / "new.json"]
    for path, content in zip(paths, (OLD, NEW), strict=True):
        path.write_text(json.dumps(content), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["compare.py", *map(str, paths)])
    assert compare.main() == 1
    text = capsys.readouterr().out
    assert "beware: a was run on {'n': 1} and on {'n': 2}" in text
    assert text.index("b: slower") < text.index("b: faster")
    assert "lost: b: slower, a: gone" in text or "lost: a: gone, b: slower" in text
    monkeypatch.setattr(sys, "argv", ["compare.py", str(paths[0]), str(paths[0])])
    assert compare.main() == 0
    assert "nothing lost" in capsys.readouterr().out


def test_one_script_s_own_file_is_read_and_another_refused(compare):
    assert compare.read_figures(OLD["benchmarks"][1]) == {"b: faster": [4.0], "b: slower": [1.0]}
    with pytest.raises(ValueError, match="no figures"):
        compare.read_figures({"steps": []})
