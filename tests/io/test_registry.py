"""The registry of a family: members stand in files of their own and are named nowhere else."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from riskmodel.errors import SpecError
from riskmodel.io.registry import Registry

FILE = """
from {package} import MEMBERS, Shape
MEMBERS.register(Shape("{name}", {order}))
"""
DOOR = """
from dataclasses import dataclass
from riskmodel.io.registry import Registry

@dataclass(frozen=True)
class Shape:
    name: str
    order: int = 1000

MEMBERS = Registry("shape", "{package}")
"""


@dataclass(frozen=True)
class Shape:
    name: str
    order: int = 1000


@pytest.fixture(autouse=True)
def _others_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let members that these tests register stop no query of other tests from being kept on disk."""
    monkeypatch.setattr(Registry, "others", [])


def test_a_file_in_the_package_is_all_that_a_member_needs(tmp_path: Path, monkeypatch) -> None:
    package = "shapes_of_this_test"
    home = tmp_path / package
    home.mkdir()
    (home / "__init__.py").write_text(DOOR.format(package=package), encoding="utf-8")
    for name, order in (("square", 20), ("circle", 10), ("arc", 20)):
        (home / f"{name}.py").write_text(FILE.format(package=package, name=name, order=order), "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        members = __import__(package).MEMBERS
        # Nobody imported the three files; by place, and equal places by name.
        assert list(members) == ["circle", "arc", "square"]
        assert repr(members) == "<3 shapes: circle, arc, square>"
        assert "ring" not in members
    finally:
        for loaded in [name for name in sys.modules if name.startswith(package)]:
            del sys.modules[loaded]


def test_two_members_of_one_name_and_unknown_names_are_refused() -> None:
    shapes: Registry[Shape] = Registry("shape", "riskmodel.io")
    square = shapes.register(Shape("square"))
    assert shapes.register(square) is square
    with pytest.raises(SpecError, match="shape 'square' is registered twice"):
        shapes.register(Shape("square", 2))
    assert "known: square, or a polygon; did you mean square?" in str(
        shapes.unknown("sqare", ", or a polygon")
    )


def test_a_member_for_the_length_of_a_block_leaves_no_trace() -> None:
    shapes: Registry[Shape] = Registry("shape", "riskmodel.io")
    with shapes.including(Shape("ring")):
        assert list(shapes) == ["ring"]
    assert list(shapes) == []


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (Shape(""), "shape '' cannot be registered: name is empty"),
        (Shape("two words"), "must begin with a letter and hold letters"),
        (Shape("ring", order="last"), "order must be a whole number; given the text 'last'"),  # type: ignore[arg-type]
        (Shape("ring", order=-1), "shape 'ring' cannot be registered: it stands before the first"),
        (Shape(None), "cannot be registered without a name"),  # type: ignore[arg-type]
        (object(), "cannot be registered without a name"),
    ],
)
def test_a_member_that_is_not_whole_is_refused_where_it_is_registered(member: Shape, said: str) -> None:
    shapes: Registry[Shape] = Registry(
        "shape", "riskmodel.io", lambda shape: ["it stands before the first"] if shape.order < 0 else []
    )
    with pytest.raises(SpecError, match=said):
        shapes.register(member)
    assert list(shapes) == []
