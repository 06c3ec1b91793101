"""Reading declarations: YAML into strict pydantic models, with errors that name file, key and mend."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from riskmodel.errors import SpecError


class Spec(BaseModel):
    """Base of every declaration: unknown keys are refused, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


S = TypeVar("S", bound=BaseModel)


class _UniqueKeyLoader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice (plain YAML keeps the last without a word)."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} stands twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_yaml(path: str | Path) -> Any:
    """Read one YAML file safely.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Any
        Plain Python values.

    Raises
    ------
    SpecError
        If the file is missing, is not UTF-8, is not YAML, or gives a key twice.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise SpecError(f"{path}: cannot be read: {exc}") from exc
    try:
        return yaml.load(text, Loader=_UniqueKeyLoader)
    except yaml.YAMLError as exc:
        raise SpecError(f"{path}: not valid YAML: {exc}") from exc


def parse(content: Any, model: type[S], where: str | Path) -> S:
    """Check plain values against a declaration model.

    Parameters
    ----------
    content : Any
        What `read_yaml` returned.
    model : type
        A pydantic model.
    where : str or Path
        Named in the error.

    Returns
    -------
    S
        The checked declaration.

    Raises
    ------
    SpecError
        One line per fault: file, key, what is wrong, what was given.
    """
    try:
        return model.model_validate(content)
    except ValidationError as exc:
        lines = []
        for err in exc.errors():
            key = ".".join(str(part) for part in err["loc"]) or "(top)"
            given = repr(err.get("input"))
            lines.append(f"{where}: {key}: {err['msg']} (given: {given[:120]})")
        raise SpecError("\n".join(lines)) from exc


def load(path: str | Path, model: type[S]) -> S:
    """Read and check one declaration file; see `read_yaml` and `parse` for what is raised.

    Parameters
    ----------
    path : str or Path
    model : type
        A pydantic model.

    Returns
    -------
    S
    """
    return parse(read_yaml(path), model, path)
