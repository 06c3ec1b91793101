"""The names at ``rm.``: about twenty that people import, each typed, documented and light to reach."""

from __future__ import annotations

import inspect
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest

import riskmodel as rm

STUB = Path(rm.__file__).with_name("__init__.pyi").read_text(encoding="utf-8")
OFFERED = re.findall(r"^from \.(\w+) import (\w+) as \2$", STUB, flags=re.MULTILINE)
FUNCTIONS = [name for room, name in OFFERED if room != "version" and name != "County"]
WANTED = {
    "County", "build_features", "build_targets", "build_worklist", "compare", "evaluate_rules", "explain",
    "forecast", "load_experiment", "load_model", "load_rules", "monitor", "promote", "read_county", "score",
    "simulate_county", "stress_test", "train", "write_report",
}  # fmt: skip


def test_the_offered_names_are_those_that_the_documentation_names() -> None:
    assert {name for room, name in OFFERED if room != "version"} == WANTED
    assert set(rm.__all__) >= WANTED | {"errors"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_typed_and_every_parameter_described(name: str) -> None:
    function = getattr(rm, name)
    parameters = inspect.signature(function).parameters
    assert all(p.annotation is not inspect.Parameter.empty for p in parameters.values())
    assert inspect.signature(function).return_annotation is not inspect.Signature.empty
    sections = inspect.cleandoc(function.__doc__ or "").split("Parameters\n----------\n")
    assert len(sections) == 2, "no Parameters section"
    # An entry: a line of names, then an indented description.
    entries = re.findall(r"^(\S[^\n]*)\n {4}\S", sections[1].split("\n\n")[0], flags=re.MULTILINE)
    named = {part.strip(" *") for entry in entries for part in entry.split(" : ")[0].split(",")}
    missing = {p for p in parameters if p not in named}
    assert not missing, f"{name}: not described: {sorted(missing)}"


@pytest.mark.parametrize(("room", "name"), [pair for pair in OFFERED if pair[0] != "version"])
def test_what_a_docstring_refers_to_can_be_reached(room: str, name: str) -> None:
    text = inspect.getdoc(getattr(rm, name)) or ""
    for reference in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text):
        # By its full name, at the root, or at the door of the package that the function is in.
        tops = [rm] if reference.startswith("riskmodel.") else [rm, getattr(rm, room)]
        parts = reference.removeprefix("riskmodel.").split(".")
        assert any(_reached(top, parts) for top in tops), f"{name}: `{reference}` is found nowhere"
    # What a user has is this documentation: no constant of a module, no chapter of another document.
    assert not re.search(r"contract's|[Cc]ontract, \"", text), name


def _reached(top: object, parts: list[str]) -> bool:
    for part in parts:
        top = getattr(top, part, None)
    return top is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="read_count"):
        rm.read_count  # noqa: B018


def test_the_names_are_loaded_when_first_asked_for() -> None:
    code = "import sys, riskmodel as rm\nbefore = set(sys.modules)\nrm.errors\n"
    code += "print('pandas' in before, sorted(m for m in sys.modules if m.startswith('riskmodel.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False ['riskmodel.errors']"


def test_what_a_notebook_prints_is_short() -> None:
    made = rm.simulate_county(households=40, months=24, truth_at=())
    shown = [
        made, rm.data.from_frames(made.frames, rm.data.About.model_validate(made.about)),
        rm.load_rules("national-2021"), rm.features.load_feature_set("household-v1"),
        rm.load_experiment("county"), rm.simulate.load_profile(),
    ]  # fmt: skip
    assert max(len(repr(one)) for one in shown) <= 300
    assert "features: 282" in repr(shown[3])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_argument_of_a_wrong_type_is_answered_by_name(name: str) -> None:
    function = getattr(rm, name)
    wrong = {p: object() for p in inspect.signature(function).parameters}
    with pytest.raises(rm.errors.UsageError, match=f"^{name}: ") as refused:
        function(**wrong)
    # Each is named, with what is wanted and what was given; none is let through.
    for parameter in wrong:
        assert re.search(rf"\b{parameter} must be .+?; given a object", str(refused.value)), parameter


def test_an_object_one_step_before_what_is_wanted_is_answered_with_the_step() -> None:
    made = rm.simulate_county(households=40, months=24, truth_at=())
    for given, said in (
        ("out/county", r"rm.read_county\(DATA\)\).*given the text 'out/county'"),
        (made, "given a SimulatedCounty; of a simulated one: rm.data.from_frames"),
    ):
        with pytest.raises(rm.errors.UsageError, match=said):
            rm.evaluate_rules(given, "national-2021", "2018-12-31")
    with pytest.raises(rm.errors.UsageError, match=r"must be a LoadedModel \(rm.load_model"):
        rm.score(made, "county@champion", "2018-12-31")


def test_a_public_function_is_one_object_that_can_be_pickled() -> None:
    assert rm.score is rm.score
    assert pickle.loads(pickle.dumps(rm.score)) is rm.score
    # Its examples and its signature are those of the function behind it.
    assert rm.score.__wrapped__ is rm.scoring.score
