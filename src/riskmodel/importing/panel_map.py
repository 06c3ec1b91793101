"""What a panel map declares: how a survey's file of persons or households is read into the contract.

`riskmodel import panel FILE --map MAP.yaml` follows one; those in ``panel_maps/`` come with riskmodel and are
verbs of their own (``riskmodel import eph``). Wherever a figure is asked for, a column of the file or a
formula of columns may stand (`riskmodel.importing.panel_columns`); a list of columns is their sum.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from riskmodel.data import About, codes
from riskmodel.importing.mapping import map_file
from riskmodel.io import Spec, load_spec

Figure = str | int | float | tuple[str, ...]
"""A column, a formula, a constant, or several columns to add (empty ones count as 0 unless all are)."""


def _no_yes_or_no(given: Any) -> Any:
    """Refuse what YAML reads as true or false: Yes and No are words of questionnaires."""
    if isinstance(given, bool):
        raise ValueError("YAML reads yes and no as true and false: write the word in quotes, 'Yes'")
    return given


Code = Annotated[str | int | float, BeforeValidator(_no_yes_or_no)]
Period = Literal["year", "half_year", "quarter", "month", "week", "day", "hour"]
MONTHS = {
    "year": 12.0,
    "half_year": 6.0,
    "quarter": 3.0,
    "month": 1.0,
    "week": 12 / 52.1775,
    "day": 12 / 365.25,
}
Covers = Literal["year", "half_year", "quarter", "month"]
Scale = Literal["per_head", "oecd", "oecd_modified", "square_root", "household"]
PANELS = Path(__file__).with_name("panel_maps")


class DataSource(Spec):
    """A panel that comes with a Python package which offers ``data(name)``."""

    package: str
    dataset: str
    extra: str = "examples"


class WideLayout(Spec):
    """One row a household, one column a wave: ``columns`` are new names, each with its wave's columns.

    ``{earnings: {1974: re74, 1975: re75}}`` makes a column ``earnings`` and the column ``by`` of 1974, 1975.
    """

    by: str = "wave"
    columns: dict[str, dict[Code, str]]


class PanelTime(Spec):
    """When an observation was made: its last month. Give a year (with quarter or month), a date, or a wave.

    Parameters
    ----------
    year, half_year, quarter, month
        Columns; a year alone ends with December.
    date
        A column of days, from which the month is taken.
    wave, dates
        A column of waves, and the month (``1979-12``) of each.
    recorded_on
        A column of days on which the observation became known; the month's last day where left out.
    date_format
        How days are written, such as ``%d/%m/%Y``; ``ISO8601`` (2010-03-31) where left out.
    """

    year: str | None = None
    half_year: str | None = None
    quarter: str | None = None
    month: str | None = None
    date: str | None = None
    wave: str | None = None
    dates: dict[Code, str] = Field(default_factory=dict)
    recorded_on: str | None = None
    date_format: str = "ISO8601"

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(one is not None for one in (self.year, self.date, self.wave)) != 1:
            raise ValueError("give one of year, date and wave")
        parts = [p for p in (self.half_year, self.quarter, self.month) if p is not None]
        if len(parts) > 1 or (parts and self.year is None):
            raise ValueError("give one of half_year, quarter and month, beside year")
        if (self.wave is None) != (not self.dates):
            raise ValueError("wave and dates go together: dates says the month of each wave, {1: 1979-12}")
        return self

    @field_validator("dates", mode="before")
    @classmethod
    def _as_text(cls, given: Any) -> Any:
        return {k: _month_text(v) for k, v in given.items()} if isinstance(given, dict) else given

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that say it."""
        given = (self.year, self.half_year, self.quarter, self.month, self.date, self.wave)
        return tuple(c for c in given if c is not None)


def _month_text(given: Any) -> str:
    text = str(given)
    if isinstance(given, dt.date):
        return text[:7]
    return f"{text}-12" if text.isdigit() else text


class PanelIncome(Spec):
    """Income or consumption of the whole household, by source or as one amount.

    Parameters
    ----------
    amount
        The whole; it stands under ``source``.
    sources
        Contract sources to figures, where the file tells them apart.
    rest
        The source that takes what ``amount`` has beyond ``sources``.
    poor
        A figure of 1 (poor) and 0, where the survey says itself who is poor and gives no amount: an income of
        0 or 1 stands for it, so a line of 0.5 (``params: {line: 0.5}``) tells the two apart.
    answered
        A figure that is empty where no income was given; ``amount``, or any source, where left out.
    kind
        Whether it is income or consumption: said in ``about.yaml``.
    per, covers
        What period a figure is of, and what period it stands for (its end is the observation's month): a
        monthly figure of a yearly panel is multiplied by 12.
    of
        For a roster, whose a row's figures are: the household's, repeated, or each person's own, which are
        added up (and unknown where one of them is: ``fill(pay, 0)`` where an empty cell is no income).
    losses
        Whether amounts such as −8 and −9 are losses; refused as codes of no answer where left out.
    factor
        Units of money in one unit of the file (1000 where the file is in thousands).
    """

    amount: Figure | None = None
    poor: Figure | None = None
    source: str = "wage"
    sources: dict[str, Figure] = Field(default_factory=dict)
    rest: str | None = None
    answered: str | None = None
    kind: Literal["income", "consumption"] = "income"
    per: Period | None = None
    covers: Covers
    of: Literal["household", "person"] = "household"
    losses: bool = False
    factor: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _whole_or_parts(self) -> Self:
        if self.poor is not None and (
            self.amount is not None or self.sources or self.per or self.factor != 1
        ):
            raise ValueError("poor is a flag without amounts: leave out amount, sources, per and factor")
        if self.amount is None and not self.sources and self.poor is None:
            raise ValueError("give amount (the whole), sources (its parts), or poor (the survey's own flag)")
        if self.amount is not None and self.sources and self.rest is None:
            raise ValueError("amount beside sources: say in rest which source takes what they leave")
        if self.rest is not None and (self.amount is None or not self.sources):
            raise ValueError("rest needs both amount and sources")
        known = codes("income", "source")
        wrong = [s for s in (*self.sources, self.source, self.rest or self.source) if s not in known]
        if wrong:
            raise ValueError(f"no source {wrong[0]!r}; there are: {', '.join(known)}")
        if self.per == "hour" and self.covers != "year":
            raise ValueError("per: hour can only cover a year: the mean wage of an hour stands for it")
        return self

    @property
    def times(self) -> float:
        """By how much a figure is multiplied to stand for the period that it covers."""
        if self.per in (None, "hour"):
            return self.factor
        return self.factor * MONTHS[self.covers] / MONTHS[str(self.per)]


class Head(Spec):
    """The head of a household whose persons are counted, not listed."""

    age: str | None = None
    sex: str | None = None
    male: tuple[Code, ...] = (1, "male", "Male", "男")
    female: tuple[Code, ...] = (2, "female", "Female", "女")


class PanelPersons(Spec):
    """Who lives there: one person, a listed roster, or numbers of persons.

    Parameters
    ----------
    kind
        ``person``: a panel of persons, each a household of one; ``count``: a row is a household, with the
        number of its persons; ``roster``: a row is a person of a household, whose figures are repeated.
    size, children, old
        Numbers of persons, of them children (0–14) and old (65+); for ``count``.
    head
        Its age and sex, for ``count``.
    age, born, sex
        For ``person`` and ``roster``; ``born`` is a year, or a month (``1957-07``).
    male, female
        The codes or words of ``sex``.
    is_head
        A figure that is 1 for the head, for ``roster``.
    same
        A number that changes only within bounds from one observation to the next while the household is the
        same one: column to lowest and highest change. Where it is not recorded nothing is concluded.
    scale
        What income is divided by: persons, or an equivalence scale.
    """

    kind: Literal["person", "count", "roster"]
    size: str | None = None
    children: str | None = None
    old: str | None = None
    head: Head = Head()
    age: str | None = None
    born: str | None = None
    sex: str | None = None
    male: tuple[Code, ...] = (1, "male", "Male", "男")
    female: tuple[Code, ...] = (2, "female", "Female", "女")
    is_head: str | None = None
    same: dict[str, tuple[float, float]] = Field(default_factory=dict)
    scale: Scale = "per_head"

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        if (self.kind == "count") != (self.size is not None):
            raise ValueError("kind: count needs size (the number of persons), and no other kind has it")
        if self.kind != "count" and (self.children or self.old or self.head != Head()):
            raise ValueError("children, old and head are of kind: count; write age, born and sex")
        if self.kind == "count" and (self.age or self.born or self.sex or self.is_head):
            raise ValueError("kind: count has no persons of its own; write head: {age: …, sex: …}")
        return self


class Place(Spec):
    """Where a household lives: what may be compared (``region``) and what is alike (``cluster``).

    Parameters
    ----------
    region, cluster
        Columns or formulas; left out, everyone is in one region, and a household is its own cluster.
    words
        Codes of ``region`` to their words; value labels of the file serve where they are left out.
    otherwise
        The region of those of whom none is given.
    first
        Whether the first observation's place and weight hold for all.
    """

    region: str | None = None
    cluster: str | None = None
    words: dict[Code, str] = Field(default_factory=dict)
    otherwise: str | None = None
    first: bool = False


class Design(Spec):
    """The survey's design: how many a row stands for, strata, and the primary sampling unit.

    Intervals resample primary sampling units; where ``psu`` is given it is the cluster.
    """

    weight: str | None = None
    strata: str | None = None
    psu: str | None = None


class IndicatorMap(Spec):
    """One figure to keep: a column or formula, its codes, and what is no answer.

    Parameters
    ----------
    column
        A column or a formula.
    codes
        Codes or words to numbers; what is not among them is no answer.
    ones, zeros
        Codes that are 1, and codes that are 0: every other one that is not missing, where left out.
    missing
        Codes that are no answer.
    """

    column: str
    codes: dict[Code, float] = Field(default_factory=dict)
    ones: tuple[Code, ...] = ()
    zeros: tuple[Code, ...] = ()
    missing: tuple[Code, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, given: Any) -> Any:
        return {"column": str(given)} if isinstance(given, str | int | float) else given

    @model_validator(mode="after")
    def _one_reading(self) -> Self:
        if self.codes and (self.ones or self.zeros):
            raise ValueError("give codes (to numbers) or ones and zeros, not both")
        return self


class Money(Spec):
    """Currency, and what amounts are divided by to be of one year's prices.

    Parameters
    ----------
    currency
        Said in ``about.yaml``.
    deflator
        A column, or a mapping of years (``2010``) or months (``2010-03``) to an index.
    base
        What index stands for 1.
    """

    currency: str | None = None
    deflator: str | dict[Code, float] | None = None
    base: float = Field(default=1.0, gt=0)


class PanelMap(Spec):
    """How a panel's file is read; every key of ``docs/real-panels.md``, "Your own panel".

    Parameters
    ----------
    id
        What it is called, where it comes with riskmodel: ``riskmodel import ID``.
    title
        What the panel is, as ``riskmodel import --help`` goes on after "Import".
    file
        What file the user gives, where it comes with no package.
    data
        The package that it comes with.
    sheet
        Of a workbook; its first where left out.
    wide
        Where waves stand side by side.
    household
        Column, or columns, of the household's id.
    person
        Column of the person's id: of a roster, or of a panel of persons (then ``household`` may be left out);
        ``_row``, the row's place in the file, where waves stand side by side and there is no id.
    time, income, persons, place, design, money
        See their own descriptions.
    columns
        New columns made by formulas, in their order, for use by everything else.
    missing
        Codes that mean "no answer" in every column of figures.
    keep
        A formula; rows of which it is not true are left out and counted.
    indicators
        Name to figure.
    coverage
        ``stated``: months that were asked for are on record and no others; ``inferred``: nothing is said.
    about
        What ``about.yaml`` will say beside.
    """

    version: Literal[1] = 1
    id: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_-]*$")
    order: int = 0
    title: str = "a panel."
    file: str | None = None
    data: DataSource | None = None
    sheet: str | None = None
    wide: WideLayout | None = None
    household: str | tuple[str, ...] | None = None
    person: str | None = None
    time: PanelTime
    income: PanelIncome
    persons: PanelPersons
    place: Place = Place()
    design: Design = Design()
    money: Money = Money()
    columns: dict[str, str] = Field(default_factory=dict)
    missing: tuple[Code, ...] = ()
    keep: str | None = None
    indicators: dict[str, IndicatorMap] = Field(default_factory=dict)
    coverage: Literal["stated", "inferred"] = "stated"
    about: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.persons.kind == "person":
            if self.person is None and self.household is None:
                raise ValueError("person: the column of the person's id is needed")
        elif self.household is None:
            raise ValueError("household: the column of the household's id is needed")
        if self.persons.kind == "roster" and self.person is None:
            raise ValueError("person: a roster needs the column of the person's id")
        About.model_validate(self.about)
        return self

    @property
    def unit_columns(self) -> tuple[str, ...]:
        """The columns that say whose observation it is."""
        given = self.household if self.household is not None else self.person
        return given if isinstance(given, tuple) else (str(given),)


def read_panel_map(path: str | Path) -> PanelMap:
    """Read a panel map.

    Parameters
    ----------
    path
        A YAML file, or the id of one that comes with riskmodel.

    Returns
    -------
    PanelMap
        The checked map.

    Raises
    ------
    InputMissing
        If there is no such map.
    SpecError
        One line for each fault.
    """
    return load_spec(map_file(path, PANELS), PanelMap)
