"""Declarations are read strictly: a key twice, an unknown key and broken YAML name file, place and mend."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from riskmodel.errors import InputMissing, SpecError
from riskmodel.io.specs import Spec, load_spec, read_yaml


class Profile(Spec):
    name: str
    size: int = 1


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "profile.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_declaration_is_read_and_checked(tmp_path: Path) -> None:
    assert load_spec(written(tmp_path, "name: a\nsize: 2\n"), Profile) == Profile(name="a", size=2)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nmae: a\n", "nmae: no such key; did you mean name"),
        ("size: 2\n", "name: required, and missing"),
        ("name: a\nsize: large\n", "size: .*given: 'large'"),
        ("name: a\nname: b\n", "'name' stands twice"),
        ("name: a\n? [size]\n: 2\n", "a key must be text or a number.*\\n.*line 2"),
        # The fast reader finds the fault; the plain one shows its line.
        ("name: [a\n", r"line 2, column 1"),
    ],
)
def test_a_wrong_declaration_names_the_place(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        load_spec(written(tmp_path, text), Profile)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputMissing, match="no such file"):
        read_yaml(tmp_path / "none.yaml")


def test_reading_agrees_with_the_plain_reader(tmp_path: Path) -> None:
    text = "a: {b: [1, 2.5, 否, null, 2020-01-31], c: 'x: y'}\n" + "d: |\n  two\n  lines\n"
    assert read_yaml(written(tmp_path, text)) == yaml.safe_load(text)
