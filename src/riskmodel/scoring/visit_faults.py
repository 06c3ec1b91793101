"""What of a filled list cannot be taken in, said in both languages and by its cell."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from riskmodel.i18n import LANGUAGES, both
from riskmodel.scoring.worklist import code_words

Finding = tuple[str | None, str | None]  # outcome and cause


def fault(about: str, **values: Any) -> str:
    """Return what is wrong and how to mend it, in both languages (an entry of ``worklist.faults``)."""
    return " / ".join(both(f"worklist.faults.{about}", **values).values())


@dataclass(frozen=True)
class Problem:
    """One cell (or row) that cannot be used, and how to mend it."""

    cell: str
    household_id: str
    column: str
    value: str
    reason: str

    def __str__(self) -> str:
        return f"{self.cell}: {self.reason}"


@dataclass(frozen=True)
class Conflict:
    """A visit of which the county's table says something else for the same household and day."""

    cell: str
    household_id: str
    date: dt.date
    written: Finding
    recorded: tuple[Finding, ...]
    about: str = "conflict"  # or superseded: what it says was corrected since
    visit: Any = None  # all that the list says of it

    def __str__(self) -> str:
        written, recorded = finding_words([self.written]), finding_words(self.recorded)
        household, day = self.household_id, self.date
        said = fault(self.about, household=household, day=day, written=written, recorded=recorded)
        return f"{self.cell}: {said}"


def finding_text(finding: Finding) -> str:
    """Return outcome and cause as one text."""
    return " / ".join(part for part in finding if part)


def finding_words(findings: Sequence[Finding]) -> dict[str, str]:
    """Return findings in both languages; a code that is none of ours stands as it is."""
    out: dict[str, str] = {}
    for language in LANGUAGES:
        words = code_words(language)
        known = {**words["outcomes"], **words["causes"]}
        texts = (finding_text((known.get(o or "", o), known.get(c or "", c))) for o, c in findings)
        out[language] = "; ".join(texts)
    return out
