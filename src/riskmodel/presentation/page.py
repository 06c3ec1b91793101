"""Pages: one template environment, one base page, and the parts that every page is put together from."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from riskmodel.i18n import LANGUAGES, Nouns, both, section
from riskmodel.io import folder, text_templates
from riskmodel.presentation.chart import Chart
from riskmodel.presentation.table import Column, Content, PagePart, Row, Table, Text, shown
from riskmodel.version import __version__

LANGS: tuple[str, ...] = LANGUAGES
Part = PagePart
Record = Mapping[Any, Any]  # a frame's row
Writer = Callable[[Record], Content]


def formatted(column: str, form: str = "") -> Writer:
    """Return how a cell is written from one column by a format, such as ``,.0f``."""
    return lambda record: format(record[column], form)


def templates() -> Path:
    """Return the folder of templates, style and script."""
    return folder("reports/templates")


@cache
def environment() -> Any:
    """Return the template environment: HTML is escaped, an unknown name is an error."""
    env = text_templates(templates())
    env.filters["shown"] = shown
    return env


def render(template: str, **content: Any) -> str:
    """Return a template of ``reports/templates`` filled in."""
    return str(environment().get_template(template).render(**content))


def asset(name: str) -> Markup:
    """Return a style sheet or script of ``reports/templates`` as it stands."""
    return Markup((templates() / name).read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Paragraph(PagePart):
    """A sentence; ``look`` is ``verdict``, ``note``, ``warn`` or plain."""

    words: Text
    look: str = ""


@dataclass(frozen=True)
class Heading(PagePart):
    """A heading within a section."""

    words: Text
    level: int = 3
    id: str = ""


@dataclass(frozen=True)
class Bullets(PagePart):
    """Sentences one below the other."""

    items: Sequence[Text]
    numbered: bool = False


@dataclass(frozen=True)
class Alarms(PagePart):
    """Sentences by gravity: ``alarm``, ``look`` or ``ok``."""

    items: Sequence[tuple[str, Text]]


@dataclass(frozen=True)
class Numbers(PagePart):
    """Large figures side by side, each with what it counts and perhaps a second line."""

    items: Sequence[tuple[str, Text, Text]]


@dataclass(frozen=True)
class Charts(PagePart):
    """Charts side by side."""

    charts: Sequence[Chart]


@dataclass(frozen=True)
class Facts(PagePart):
    """Names with their values, such as versions and sources."""

    items: Sequence[tuple[Text, Text]]


@dataclass(frozen=True)
class Link(PagePart):
    """A link to a file beside the page or to a section of it."""

    words: Text
    href: str


@dataclass(frozen=True)
class Links(PagePart):
    """A line of links with what stands before them."""

    words: Text
    links: Sequence[Link]


@dataclass(frozen=True)
class Html(PagePart):
    """A part that is HTML already."""

    html: Markup


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
        """Return a table below its heading, its note after it; nothing where there is no table or no row."""
        if table is None or not table.rows:
            return []
        return [Heading(self(key), level), table, *([self.note(key)] if note else [])]

    def columns(self, *names: str, text: Collection[str] | None = None) -> list[Column]:
        """Return columns; those named in ``text`` hold text (by default the first), the others numbers."""
        words = section(self.headings)
        text = names[:1] if text is None else text
        return [Column(words[name], "text" if name in text else "number") for name in names]

    def table(
        self,
        frame: pd.DataFrame,
        cells: Mapping[str, Writer],
        *,
        text: Collection[str] | None = None,
        mark: Callable[[Record], str] | None = None,
    ) -> Table:
        """Return a frame as a table: under each column's name how its cell is written from a row."""
        rows = [
            Row([write(record) for write in cells.values()], mark(record) if mark else "")
            for record in frame.to_dict("records")
        ]
        return Table(self.columns(*cells, text=text), rows)


def section_html(part: PageSection) -> Markup:
    """Return a section as HTML."""
    return Markup(environment().get_template("parts.html.j2").module.section(part))


def part_html(part: Part) -> Markup:
    """Return a part as HTML."""
    return Markup(environment().get_template("parts.html.j2").module.part(part))


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
    nouns: Nouns | None = None,
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
    nouns
        What is counted and where: households in villages, or a panel's own words.

    Returns
    -------
    str
        The page as HTML.
    """
    html = render(
        "page.html.j2", lang=language, version=__version__, kind=kind, title=title, above=above, below=below,
        sections=sections, data=None if data is None else Markup(data), single=single,
        css=asset("page.css"), js=asset("page.js"), list_js=None if data is None else asset("list.js"),
    )  # fmt: skip
    return html if nouns is None else nouns.page(html)


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
