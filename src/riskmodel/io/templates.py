"""Text and Word templates: the one place that opens the template engine."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from riskmodel.errors import InputRefused


def text_templates(templates: Path) -> Any:
    """Return the environment of the templates in a folder: HTML is escaped, an unknown name is an error."""
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html", "html.j2"), default=False),
        undefined=jinja2.StrictUndefined,
    )


def word_templates() -> Any:
    """Return the environment in which an office's own Word template is filled in.

    A template comes from outside: it reads what it is given, reaches nothing else, and a name that it was not
    given is an error.
    """
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    return SandboxedEnvironment(undefined=StrictUndefined)


@contextlib.contextmanager
def template_faults(name: str, allowed: Collection[str]) -> Iterator[None]:
    """Tell what is wrong with a template while the body fills it in.

    Raises
    ------
    InputRefused
        Where it asks for what it is not given, or is no template; what it may ask for is named.
    """
    from jinja2 import TemplateError

    try:
        yield
    except TemplateError as exc:
        known = ", ".join(sorted(allowed))
        raise InputRefused(f"template {name}: {exc}; it may use: {known}") from exc
