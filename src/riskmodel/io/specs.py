"""Reading declarations: YAML into strict pydantic models, with errors that name file, key and mend."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from riskmodel.errors import InputMissing, SpecError, did_you_mean


class Spec(BaseModel):
    """Base of every declaration: unknown keys are refused, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def __repr__(self) -> str:
        """Short: plain values as they are, long ones counted; the whole is in the file it was read from."""
        return shorten(f"{type(self).__name__}({', '.join(_shown(k, v) for k, v in self)})", 240)

    __str__ = __repr__


def _shown(name: str, value: Any) -> str:
    if isinstance(value, Mapping | Collection) and not isinstance(value, str):
        return f"{name}={value!r}" if len(repr(value)) <= 40 else f"{name}: {len(value)}"
    return f"{name}={shorten(repr(value), 60)}"


def shorten(text: str, most: int) -> str:
    """Return a text of at most ``most`` characters, an ellipsis for what is left out."""
    return text if len(text) <= most else text[: most - 1] + "…"


S = TypeVar("S", bound=BaseModel)


class _UniqueKeys(yaml.constructor.SafeConstructor):
    """Refuses a key given twice (plain YAML keeps the last without a word) and a list or mapping as a key."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(
                    None,
                    None,
                    "a key must be text or a number, this is a list or mapping",
                    key_node.start_mark,
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} stands twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


# Both are PyYAML's safe loaders (plain values only: a tag such as !!python/object is refused) and refuse a
# key given twice. A file is read by the fast one; one that it refuses is read again by the other, for its
# error shows the faulty line.
class _PlainLoader(_UniqueKeys, yaml.SafeLoader):
    """The loader in Python: an error shows the line of the file."""


class _FastLoader(_UniqueKeys, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """libyaml's where PyYAML was built with it: six times as fast."""


def read_yaml(path: str | Path) -> Any:
    """Read one YAML file safely.

    Parameters
    ----------
    path
        A UTF-8 file.

    Returns
    -------
    Any
        Plain Python values.

    Raises
    ------
    InputMissing
        If there is no such file, or it cannot be opened.
    SpecError
        If it is not UTF-8, is not YAML, or gives a key twice.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError as exc:
        raise InputMissing(f"{path}: no such file") from exc
    except OSError as exc:
        raise InputMissing(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    except UnicodeDecodeError as exc:
        raise SpecError(f"{path}: is not UTF-8 text; save it as UTF-8") from exc
    with contextlib.suppress(yaml.YAMLError):
        return yaml.load(text, Loader=_FastLoader)
    try:
        return yaml.load(text, Loader=_PlainLoader)
    except yaml.YAMLError as exc:
        raise SpecError(f"{path}: not valid YAML: {exc}") from exc


def parse_spec(content: Any, model: type[S], where: str | Path, text: str = "") -> S:
    """Check plain values against a declaration model.

    Parameters
    ----------
    content
        What `read_yaml` returned.
    model
        A pydantic model.
    where
        Named in the error.
    text
        The file's, for the line of each fault; without it no line is named.

    Returns
    -------
    S
        The checked declaration.

    Raises
    ------
    SpecError
        One line per fault: file, key, what is wrong, what was given or is allowed.
    """
    try:
        return model.model_validate(content)
    except ValidationError as exc:
        root = yaml.compose(text, Loader=yaml.SafeLoader) if text else None
        faults = [
            f"{where}: {_line_of(root, err['loc'])}{_describe_error(model, err)}" for err in exc.errors()
        ]
        raise SpecError("\n".join(faults)) from exc


def _line_of(node: yaml.Node | None, loc: Iterable[int | str]) -> str:
    """Return the line of a place inside a file, empty where it is not known."""
    if node is None:
        return ""
    line = node.start_mark.line
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if found:
                line, node = found[0].start_mark.line, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line
    return f"line {line + 1}: "


def _describe_error(model: type[BaseModel], err: Any) -> str:
    """Say one fault of a declaration in a line."""
    loc = err["loc"]
    key = ".".join(str(part) for part in loc) or "(top)"
    if err["type"] == "missing":
        return f"{key}: required, and missing"
    if err["type"] == "extra_forbidden":
        allowed = [name for m in _models_at(model, loc[:-1]) for name in m.model_fields]
        return f"{key}: no such key{did_you_mean(str(loc[-1]), allowed)} (allowed: {', '.join(allowed)})"
    given = err.get("input")
    shown = f"a {'mapping' if isinstance(given, dict) else 'list'}"
    return f"{key}: {err['msg']} (given: {shown if isinstance(given, dict | list) else repr(given)})"


def _models_at(model: type[BaseModel], loc: Iterable[int | str]) -> list[type[BaseModel]]:
    """Return the declaration models that a place inside a declaration is checked against."""
    found = [model]
    for part in loc:
        # Positions in a list and keys of a mapping lead to no other model than their container did.
        inside = [
            inner
            for m in found
            if str(part) in m.model_fields
            for inner in _models_in(m.model_fields[str(part)].annotation)
        ]
        found = inside or found
    return found


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [inner for part in get_args(annotation) for inner in _models_in(part)]


def load_spec(path: str | Path, model: type[S], *, lines: bool = False) -> S:
    """Read and check one declaration file; see `read_yaml` and `parse` for what is raised.

    Parameters
    ----------
    path
        The declaration.
    model
        A pydantic model.
    lines
        Whether each fault is told with its line.

    Returns
    -------
    S
        The checked declaration.
    """
    content = read_yaml(path)
    return parse_spec(content, model, path, Path(path).read_text("utf-8-sig") if lines else "")
