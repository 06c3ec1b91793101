"""The sections of a report, each registered once: whoever adds one writes a function and its test.

A section is a function from what the report is made of (`ReportInput`) to the parts it shows: tables,
charts, sentences. Registered under an id, a title and a place, it stands in the page, in the list of
sections that documentation reads (`sections`), and nowhere else has to be named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from riskmodel.errors import UsageError
from riskmodel.i18n import section
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


REPORT_SECTIONS: Registry[ReportSection] = Registry("report section", "riskmodel.presentation")


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
    UsageError
        If the title lacks a language.
    SpecError
        If the id is taken.
    """
    if not isinstance(title, str) and not (title.get("zh") and title.get("en")):
        raise UsageError(f"report section {id!r} needs a title in zh and en")

    def register(function: Callable[[ReportInput], Parts]) -> Callable[[ReportInput], Parts]:
        REPORT_SECTIONS.register(ReportSection(id, title, order, function))
        return function

    return register


def page_sections(given: ReportInput) -> list[PageSection]:
    """Return the sections of a report that have something to show."""
    made = [(s, s.parts(given)) for s in REPORT_SECTIONS.values()]
    return [PageSection(s.id, s.words, list(parts)) for s, parts in made if parts is not None]
