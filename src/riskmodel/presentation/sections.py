"""The sections of a report, each registered once: whoever adds one writes a function and its test.

A section is a function from what the report is made of (`ReportInput`) to the parts it shows: tables,
charts, sentences. Registered under an id, a title and a place, it stands in the page, in the list of
sections that documentation reads (`sections`), and nowhere else has to be named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from riskmodel.errors import UsageError
from riskmodel.i18n import LANGUAGES, section
from riskmodel.io import Registry
from riskmodel.presentation.page import PageSection, Part
from riskmodel.presentation.report_input import ReportInput
from riskmodel.presentation.table import Words

Parts = Sequence[Part] | None


@dataclass(frozen=True)
class ReportSection:
    """One registered section.

    Parameters
    ----------
    id : str
        Its anchor on the page.
    title : str or mapping of language to text
        The heading: a key of the catalogue of words, or ``zh`` and ``en``.
    order : int
        Place on the page; those of the package stand at 10, 20, … 100.
    parts : callable
        From `ReportInput` to what is shown, or to None where the run has nothing for it.
    """

    id: str
    title: Words | str
    order: int
    parts: Callable[[ReportInput], Parts]

    @property
    def name(self) -> str:
        """Its id, as registries call it."""
        return self.id

    @property
    def words(self) -> Words:
        """Its heading in both languages."""
        return section(self.title) if isinstance(self.title, str) else self.title


def _section_problems(given: ReportSection) -> list[str]:
    """Return what is wrong with a section whose fields are of the declared types: its heading."""
    if isinstance(given.title, str):
        try:
            section(given.title)
        except UsageError as exc:
            return [f"title: {exc}"]
        return []
    lacking = [language for language in LANGUAGES if not str(given.title.get(language) or "").strip()]
    return [f"title needs the heading in {' and '.join(lacking)}"] if lacking else []


REPORT_SECTIONS: Registry[ReportSection] = Registry(
    "report section", "riskmodel.presentation", _section_problems
)


def report_section(
    id: str,  # the word that users look for
    *,
    title: Words | str,
    order: int,
) -> Callable[[Callable[[ReportInput], Parts]], Callable[[ReportInput], Parts]]:
    """Register a function as a section of the report.

    Parameters
    ----------
    id : str
        Its anchor on the page; no two sections share one.
    title : str or mapping of language to text
        The section's heading: a key of the catalogue of words, or ``zh`` and ``en``.
    order : int
        Place on the page.

    Returns
    -------
    callable
        The decorator; it gives the function back unchanged.

    Raises
    ------
    SpecError
        If the id is taken, or the title lacks a language.
    """

    def register(function: Callable[[ReportInput], Parts]) -> Callable[[ReportInput], Parts]:
        REPORT_SECTIONS.register(ReportSection(id, title, order, function))
        return function

    return register


def page_sections(given: ReportInput) -> list[PageSection]:
    """Return the sections of a report that have something to show."""
    made = [(s, s.parts(given)) for s in REPORT_SECTIONS.values()]
    return [PageSection(s.id, s.words, list(parts)) for s, parts in made if parts is not None]
