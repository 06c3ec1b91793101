"""Pages: one template environment, one base page, and the parts that every page is put together from."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from riskmodel.i18n import LANGUAGES, both, section
from riskmodel.io import folder
from riskmodel.presentation.chart import Chart
from riskmodel.presentation.table import Column, Table, Text, shown
from riskmodel.version import __version__

LANGS: tuple[str, ...] = LANGUAGES


def templates() -> Path:
    """Return the folder of templates, style and script."""
    return folder("reports/templates")


@cache
def environment() -> jinja2.Environment:
    """Return the template environment: HTML is escaped, an unknown name is an error."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates()),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html", "html.j2"), default=False),
        undefined=jinja2.StrictUndefined,
    )
    env.filters["shown"] = shown
    return env


def render(template: str, **content: Any) -> str:
    """Return a template of ``reports/templates`` filled in."""
    return environment().get_template(template).render(**content)


def asset(name: str) -> Markup:
    """Return a style sheet or script of ``reports/templates`` as it stands."""
    return Markup((templates() / name).read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Paragraph:
    """A sentence; ``look`` is ``verdict``, ``note``, ``warn`` or plain."""

    words: Text
    look: str = ""
    part: str = field(default="paragraph", init=False)


@dataclass(frozen=True)
class Heading:
    """A heading within a section."""

    words: Text
    level: int = 3
    id: str = ""
    part: str = field(default="heading", init=False)


@dataclass(frozen=True)
class Bullets:
    """Sentences one below the other."""

    items: Sequence[Text]
    numbered: bool = False
    part: str = field(default="bullets", init=False)


@dataclass(frozen=True)
class Alarms:
    """Sentences by gravity: ``alarm``, ``look`` or ``ok``."""

    items: Sequence[tuple[str, Text]]
    part: str = field(default="alarms", init=False)


@dataclass(frozen=True)
class Numbers:
    """Large figures side by side, each with what it counts and perhaps a second line."""

    items: Sequence[tuple[str, Text, Text]]
    part: str = field(default="numbers", init=False)


@dataclass(frozen=True)
class Charts:
    """Charts side by side."""

    charts: Sequence[Chart]
    part: str = field(default="charts", init=False)


@dataclass(frozen=True)
class Facts:
    """Names with their values, such as versions and sources."""

    items: Sequence[tuple[Text, Text]]
    part: str = field(default="facts", init=False)


@dataclass(frozen=True)
class Link:
    """A link to a file beside the page or to a section of it."""

    words: Text
    href: str
    part: str = field(default="link", init=False)


@dataclass(frozen=True)
class Links:
    """A line of links with what stands before them."""

    words: Text
    links: Sequence[Link]
    part: str = field(default="links", init=False)


@dataclass(frozen=True)
class Html:
    """A part that is HTML already."""

    html: Markup
    part: str = field(default="html", init=False)


Part = Any  # one of the classes above, or a Table


@dataclass(frozen=True)
class PageSection:
    """One section of a page: a title and parts; ``wrap`` lets long text in tables wrap."""

    id: str
    title: Text
    parts: Sequence[Part]
    wrap: bool = False


@dataclass(frozen=True)
class PageWords:
    """The words of one page: its phrases and the headings of its columns, by their place in the catalogue."""

    phrases: str
    headings: str

    def __call__(self, key: str, /, **values: Any) -> dict[str, str]:
        """Return a phrase in both languages, its places filled in."""
        return both(f"{self.phrases}.{key}", **values)

    def note(self, key: str) -> Paragraph:
        """Return the note that goes with a part."""
        return Paragraph(self(f"{key}_note"), "note")

    def headed(self, key: str, table: Table | None, *, level: int = 3, note: bool = True) -> list[Part]:
        """Return a table below its heading, its note after it; nothing where there is no table."""
        if table is None:
            return []
        return [Heading(self(key), level), table, *([self.note(key)] if note else [])]

    def columns(self, *names: str, text: Collection[str] | None = None) -> list[Column]:
        """Return columns; those named in ``text`` hold text (by default the first), the others numbers."""
        words = section(self.headings)
        text = names[:1] if text is None else text
        return [Column(words[name], "text" if name in text else "number") for name in names]


def section_html(part: PageSection) -> Markup:
    """Return a section as HTML."""
    return Markup(environment().get_template("parts.html.j2").module.section(part))  # type: ignore[attr-defined]


def part_html(part: Part) -> Markup:
    """Return a part as HTML."""
    return Markup(environment().get_template("parts.html.j2").module.part(part))  # type: ignore[attr-defined]


def page_html(
    title: Text,
    sections: Sequence[PageSection | Part],
    *,
    language: str,
    kind: str,
    above: Text = "",
    below: Text = "",
    data: str | None = None,
    single: bool = False,
) -> str:
    """Return a whole page: self-contained, nothing is loaded, the same content gives the same bytes.

    Parameters
    ----------
    title : str or mapping of language to text
        Heading of the page: a key of the catalogue, or the text by language.
    sections : sequence of PageSection
        A part may stand between them.
    language : {"zh", "en"}
        Language the page opens in.
    kind : str
        What the page is and its format, for its generator line.
    above, below : str or mapping
        Lines above and below the title.
    data : str, optional
        JSON for the page's script (`embedded`).
    single : bool
        The page is in one language alone: it has no switch.

    Returns
    -------
    str
        The page as HTML.
    """
    return render(
        "page.html.j2", lang=language, version=__version__, kind=kind, title=title, above=above, below=below,
        sections=sections, data=None if data is None else Markup(data), single=single,
        css=asset("page.css"), js=asset("page.js"), list_js=None if data is None else asset("list.js"),
    )  # fmt: skip


def embedded(content: Any) -> str:
    r"""Return JSON for a script element: no character in it can open or end an element.

    Examples
    --------
    >>> embedded({"a": "</script>"})
    '{"a":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text
