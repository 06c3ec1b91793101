"""What a form is: one YAML file under ``reports/templates/forms``, from which its template is made.

A form names where its pages or rows come from and which keys it prints. Nothing else of a household reaches
its template: an office that changes a template can use these keys and no others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import Field, model_validator

from riskmodel.errors import SpecError, UsageError, did_you_mean
from riskmodel.i18n import Words
from riskmodel.io import Spec, folder, load_spec

Kind: TypeAlias = Literal["text", "wrap", "count", "yuan", "share", "date", "entry"]
_KEY = re.compile(r"\b([pr])\.(\w+)")
# Words that a form may never print: what a model says of a household, in whatever column it stands.
SCORE_WORDS = ("probability", "score", "rank", "tier", "chance", "contribution", "model", "reason_")


class FormColumn(Spec):
    """A column of a printed table.

    Parameters
    ----------
    key
        What it prints of a row.
    zh
        Its heading.
    kind
        How a workbook writes it; ``entry`` is left empty for the pen.
    width
        In characters of a sheet, or as a weight beside the other columns of a Word table.
    group
        Heading over neighbouring columns that share it.
    """

    key: str
    zh: str
    kind: Kind = "text"
    width: float = 10
    group: str = ""


class Block(Spec):
    """One part of a Word form; exactly one of what it may hold.

    ``text`` a paragraph, ``fields`` pairs of a name and its value in ``across`` columns, ``table`` with a row
    for each of ``over`` and ``blank`` empty ones, ``box`` room to write in, ``boxes`` answers to tick,
    ``sign`` lines for signatures, ``heading``, ``new_page``.
    """

    text: str | None = None
    heading: str | None = None
    fields: tuple[tuple[str, str], ...] = ()
    across: int = 3
    table: tuple[FormColumn, ...] = ()
    over: str = ""
    blank: int = 0
    box: str | None = None
    lines: int = 2
    boxes: tuple[str, tuple[str, ...]] | None = None
    sign: tuple[str, ...] = ()
    centred: bool = False
    small: bool = False
    bold: bool = False
    when: str = ""
    new_page: bool = False

    @property
    def texts(self) -> Iterator[str]:
        """Every text that may name a key."""
        yield from filter(None, (self.text, self.heading, self.box, self.when))
        yield from (part for pair in self.fields for part in pair)


class FormSheet(Spec):
    """One sheet of an Excel form."""

    name: str
    title: str
    rows: str
    params: dict[str, Any] = Field(default_factory=dict)
    columns: tuple[FormColumn, ...]
    notes: tuple[str, ...] = ()
    sign: tuple[str, ...] = ()

    @property
    def keys(self) -> frozenset[str]:
        """The keys that a row prints."""
        return frozenset(c.key for c in self.columns if c.kind != "entry")


class Form(Words):
    """A form as declared.

    Parameters
    ----------
    id
        Name of its file, its template and its folder.
    number
        What the documents call it (附件2-1), empty where they do not number it.
    source
        Document and section that ask for it.
    kind
        ``word``, ``sheet`` (Excel), or ``export`` (a layout that is not the office's to change).
    file
        One file for the whole county, or one a township or department.
    page
        What has a page of its own in a Word form.
    pages
        Where the pages come from; see `riskmodel.forms.pages`.
    params
        Options of that.
    needs
        Tables of the contract without which there is nothing to fill in.
    landscape
        Whether the page lies on its side.
    prefilled
        Whether values known before stand in grey, for the pen to correct.
    named
        Whether names of heads and contacts may stand on it.
    """

    version: Literal[1]
    id: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    number: str = ""
    source: str
    kind: Literal["word", "sheet", "export"]
    file: Literal["county", "township", "department"] = "county"
    pages: str = ""
    params: dict[str, Any] = Field(default_factory=dict)
    needs: tuple[str, ...] = ()
    landscape: bool = False
    prefilled: bool = False
    named: bool = True
    on_request: bool = False
    blocks: tuple[Block, ...] = ()
    sheets: tuple[FormSheet, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Form:
        if self.kind == "word" and not (self.pages and self.blocks):
            raise ValueError("a Word form needs pages and blocks")
        if self.kind == "sheet" and not self.sheets:
            raise ValueError("an Excel form needs sheets")
        wrong = sorted(k for k in self.every_key if any(w in k for w in SCORE_WORDS))
        if wrong:
            raise ValueError(f"a form never prints what a model says: {', '.join(wrong)}")
        return self

    @property
    def ending(self) -> str:
        """How its file ends."""
        return ".docx" if self.kind == "word" else ".xlsx"

    @property
    def page_keys(self) -> frozenset[str]:
        """The keys that a page of a Word form prints, tables apart."""
        texts = [t for block in self.blocks for t in block.texts]
        return frozenset(name for text in texts for of, name in _KEY.findall(text) if of == "p")

    @property
    def table_keys(self) -> dict[str, frozenset[str]]:
        """The keys that each table of a page prints, by what it runs over."""
        out: dict[str, frozenset[str]] = {}
        for block in self.blocks:
            if block.over:
                keys = frozenset(c.key for c in block.table if c.kind != "entry")
                out[block.over] = out.get(block.over, frozenset()) | keys
        return out

    @property
    def every_key(self) -> frozenset[str]:
        """Every key that it prints, of pages, tables and sheets."""
        sheets = [sheet.keys for sheet in self.sheets]
        return self.page_keys.union(*self.table_keys.values(), *sheets)


def forms_folder() -> Path:
    """Return where forms are declared."""
    return folder("reports/templates") / "forms"


@cache
def available_forms() -> dict[str, Form]:
    """Return every form by its id, in the order of their files.

    Returns
    -------
    dict
        Id to form.

    Raises
    ------
    SpecError
        If a declaration is wrong; the file is named.
    """
    out = {}
    for path in sorted(forms_folder().glob("*.yaml")):
        form = load_spec(path, Form)
        if path.stem != form.id:
            raise SpecError(f"{path}: the form calls itself {form.id!r}; name it as its file")
        out[form.id] = form
    return out


def choose_forms(ids: list[str] | None) -> list[Form]:
    """Return forms by id; all that are not made on request where none is named.

    Raises
    ------
    UsageError
        If there is none of that id; near ones are named.
    """
    known = available_forms()
    if not ids:
        return [form for form in known.values() if not form.on_request]
    for one in ids:
        if one not in known:
            raise UsageError(f"no form {one!r}{did_you_mean(one, known)}; known: {', '.join(known)}")
    return [known[one] for one in dict.fromkeys(ids)]
