"""A published register table as it is typed in, and the sums and shares that must hold between its cells.

The form is that of the data contract, "A published ledger, to be checked"; cells are exact numbers.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import Field

from riskmodel.errors import SpecError
from riskmodel.io import Spec, parse_spec, read_yaml

Unit = Literal["hh", "p"]
UNITS: tuple[Unit, ...] = ("hh", "p")
UNIT_NAMES = {"hh": "households", "p": "persons"}
Count = Annotated[int, Field(strict=True, ge=0)]
ColumnName = Literal[
    "total", "eliminated", "remaining", "identified", "rolled_back", "re_marked", "removed",
    "label_withdrawn", "natural_increase", "natural_decrease", "opening", "closing",
]  # fmt: skip
COLUMNS = get_args(ColumnName)


class Cell(Spec):
    """One cell: households and persons, either may be left out."""

    hh: Count | None = None
    p: Count | None = None


class PublishedRow(Spec):
    """One row: any of the columns, and the share of the categories' totals that was printed."""

    total: Cell | None = None
    eliminated: Cell | None = None
    remaining: Cell | None = None
    identified: Cell | None = None
    rolled_back: Cell | None = None
    re_marked: Cell | None = None
    removed: Cell | None = None
    label_withdrawn: Cell | None = None
    natural_increase: Cell | None = None
    natural_decrease: Cell | None = None
    opening: Cell | None = None
    closing: Cell | None = None
    share_pct: Annotated[Decimal, Field(ge=0, allow_inf_nan=False)] | None = None

    def cell(self, column: str, unit: Unit) -> int | None:
        """Return what is printed in a column, None where it is left out."""
        amounts = getattr(self, column)
        return None if amounts is None else getattr(amounts, unit)


class PublishedTable(Spec):
    """A published register table. Any cell may be left out; what is left out is unknown, never zero."""

    period: str | int | float | dt.date | None = None
    unit: dict[Unit, str] = Field(default_factory=dict)
    categories: dict[str, PublishedRow]
    total: PublishedRow | None = None
    causes: dict[str, Cell] = Field(default_factory=dict)
    causes_of: ColumnName = "total"

    def cells(self) -> dict[str, int | Decimal]:
        """Return every printed cell under its path, in the order of the file.

        Examples
        --------
        >>> PublishedTable.model_validate({"categories": {"a": {"total": {"hh": 3}}}}).cells()
        {'categories.a.total.hh': 3}
        """
        out: dict[str, int | Decimal] = {}
        for where, row in self.rows().items():
            for column, unit in itertools.product(COLUMNS, UNITS):
                if (value := row.cell(column, unit)) is not None:
                    out[f"{where}.{column}.{unit}"] = value
            if row.share_pct is not None:
                out[f"{where}.share_pct"] = row.share_pct
        for (cause, amounts), unit in itertools.product(self.causes.items(), UNITS):
            if (value := getattr(amounts, unit)) is not None:
                out[f"causes.{cause}.{unit}"] = value
        return out

    def rows(self) -> dict[str, PublishedRow]:
        """Return the rows under their paths: the categories, then the total."""
        out = {f"categories.{name}": row for name, row in self.categories.items()}
        return out | ({"total": self.total} if self.total else {})


def read_published_table(source: Mapping[str, Any] | str | Path) -> PublishedTable:
    """Return a published table from a YAML file or from plain values, every key checked."""
    if isinstance(source, Mapping):
        return parse_spec(dict(source), PublishedTable, "published ledger")
    content = read_yaml(source)
    node = yaml.compose(Path(source).read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
    try:
        return parse_spec(_shares_as_typed(content, node), PublishedTable, source)
    except SpecError as exc:
        allowed = ", ".join(PublishedRow.model_fields)
        raise SpecError(
            f"{exc}\n{source}: columns are {allowed}; cells are {{hh: …, p: …}}, whole numbers"
        ) from exc


def _shares_as_typed(content: Any, node: yaml.Node | None) -> Any:
    """Put each ``share_pct`` back as it was typed: 72.30 promises one digit more than 72.3."""
    if not isinstance(content, dict) or not isinstance(node, yaml.MappingNode):
        return content
    typed = {str(key.value): value for key, value in node.value}
    out = {key: _shares_as_typed(value, typed.get(str(key))) for key, value in content.items()}
    if isinstance(out.get("share_pct"), float) and "share_pct" in typed:
        out["share_pct"] = str(typed["share_pct"].value)
    return out


Cells = Mapping[str, Fraction]


@dataclass(frozen=True)
class SumRelation:
    """``whole = Σ sign × part``; ``where`` names the group when no single cell explains the break.

    ``printed`` and ``expected`` of the group are its whole and what the parts give, or, where the group is
    the parts (``causes``), the other way round.
    """

    where: str
    statement: str
    whole: tuple[str, ...]
    parts: tuple[tuple[str, int], ...]
    group_is_parts: bool = False

    @property
    def terms(self) -> dict[str, int]:
        """Every cell with its coefficient in ``Σ whole − Σ sign × part = 0``."""
        return {**dict.fromkeys(self.whole, 1), **{path: -sign for path, sign in self.parts}}

    def residual(self, cells: Cells) -> Fraction:
        """Return by how much the relation is off."""
        return sum((sign * cells[path] for path, sign in self.terms.items()), Fraction(0))

    def holds(self, cells: Cells) -> bool:
        """Whether the relation holds."""
        return self.residual(cells) == 0

    def values_for(self, path: str, cells: Cells) -> list[Fraction]:
        """Return the value of one cell that makes the relation hold, the others as they are."""
        return [cells[path] - self.residual(cells) / self.terms[path]]

    def printed_and_expected(self, cells: Cells) -> tuple[Fraction, Fraction]:
        """Return what the group prints and what it should."""
        whole = sum((cells[path] for path in self.whole), Fraction(0))
        parts = sum((sign * cells[path] for path, sign in self.parts), Fraction(0))
        return (parts, whole) if self.group_is_parts else (whole, parts)

    def describe(self, cells: Cells) -> str:
        """Return the relation with its figures."""
        whole = " + ".join(str(cells[path]) for path in self.whole)
        parts = " ".join(f"{'+' if sign > 0 else '-'} {cells[path]}" for path, sign in self.parts)
        sums = self.printed_and_expected(cells)
        total = sums[0] if self.group_is_parts else sums[1]
        sign = "=" if self.holds(cells) else "≠"
        return f"{self.statement}: {whole} {sign} {parts.removeprefix('+ ')} = {total}"


@dataclass(frozen=True)
class ShareRelation:
    """``share_pct`` = 100 × the row's total / the sum of the categories' totals, within one printed unit.

    ``bases`` holds, for each unit whose totals are all printed, the row's own cell and the categories'.
    """

    where: str
    tolerance: Fraction
    digits: int
    bases: tuple[tuple[Unit, str, tuple[str, ...]], ...]

    @property
    def terms(self) -> dict[str, int]:
        """Every cell that takes part."""
        out = {self.where: 1}
        for _, own, categories in self.bases:
            out |= {own: 1} | dict.fromkeys(categories, 1)
        return out

    def share(self, basis: tuple[Unit, str, tuple[str, ...]], cells: Cells) -> Fraction | None:
        """Return the share in per cent on one basis, None where nothing is to be shared."""
        _, own, categories = basis
        whole = sum((cells[path] for path in categories), Fraction(0))
        return 100 * cells[own] / whole if whole else None

    def basis(self, cells: Cells) -> Unit | None:
        """Return the unit from which the printed share follows, households first; None if from neither."""
        for basis in self.bases:
            share = self.share(basis, cells)
            if share is not None and abs(share - cells[self.where]) <= self.tolerance:
                return basis[0]
        return None

    def holds(self, cells: Cells) -> bool:
        """Whether the printed share follows from households or persons."""
        return self.basis(cells) is not None

    def values_for(self, path: str, cells: Cells) -> list[Fraction]:
        """Return values of one cell that would make the share follow (counts rounded to whole ones)."""
        values = []
        for basis in self.bases:
            _, own, categories = basis
            if path == self.where:
                share = self.share(basis, cells)
                values.append(None if share is None else Fraction(round_half_up(share, self.digits)))
            elif path in categories or path == own:
                values.append(self._count(path, own, categories, cells))
        return [value for value in values if value is not None]

    def _count(self, path: str, own: str, categories: tuple[str, ...], cells: Cells) -> Fraction | None:
        share = cells[self.where] / 100
        others = sum((cells[p] for p in categories if p != path), Fraction(0))
        if path == own and own not in categories:
            value: Fraction | None = share * others
        elif path == own:
            value = share * others / (1 - share) if share < 1 else None
        else:
            value = cells[own] / share - others if share else None
        return None if value is None else Fraction(round(value))

    def expected(self, cells: Cells, prefer: Unit) -> Fraction | None:
        """Return the share that should stand there, rounded as printed."""
        by_unit = {basis[0]: self.share(basis, cells) for basis in self.bases}
        share = by_unit.get(prefer)
        share = next((s for s in by_unit.values() if s is not None), None) if share is None else share
        return None if share is None else Fraction(round_half_up(share, self.digits))

    def describe(self, cells: Cells) -> str:
        """Return the relation with its figures, on every basis there is."""
        statements = []
        for basis in self.bases:
            unit, own, categories = basis
            share = self.share(basis, cells)
            if share is not None:
                whole = sum((cells[path] for path in categories), Fraction(0))
                value = round_half_up(share, max(self.digits, 1))
                statements.append(f"100 × {cells[own]} / {whole} = {value} ({UNIT_NAMES[unit]})")
        return f"{self.where} = 100 × total / sum of the categories' totals: {'; '.join(statements)}"


Relation = SumRelation | ShareRelation


def round_half_up(value: Fraction, digits: int) -> Decimal:
    """Return an exact value rounded to printed digits, halves away from zero.

    Examples
    --------
    >>> round_half_up(Fraction(82700, 1144), 1)
    Decimal('72.3')
    """
    scaled = value * 10**digits
    whole = int(scaled + Fraction(1, 2)) if scaled >= 0 else -int(-scaled + Fraction(1, 2))
    return Decimal(whole).scaleb(-digits)


def to_number(value: Fraction) -> int | float:
    """Return an exact value as JSON can hold it."""
    return int(value) if value.denominator == 1 else float(value)


def table_relations(published: PublishedTable) -> list[Relation]:
    """Return every relation whose cells are all printed: rows, columns, causes, movements, shares.

    References
    ----------
    Data contract, "A published ledger, to be checked"; official rules, "Life cycle" (movements, judged in
    rows that print an opening and a closing stock and no running total).
    """
    out: list[Relation] = []
    for unit in UNITS:
        out += _row_sums(published, unit)
        out += _column_sums(published, unit)
        out += _causes(published, unit)
        out += _movements(published, unit)
    return out + _shares(published)


def _row_sums(published: PublishedTable, unit: Unit) -> list[Relation]:
    out: list[Relation] = []
    for where, row in published.rows().items():
        if all(row.cell(c, unit) is not None for c in ("total", "eliminated", "remaining")):
            parts = tuple((f"{where}.{c}.{unit}", 1) for c in ("eliminated", "remaining"))
            statement = f"{where}: total.{unit} = eliminated.{unit} + remaining.{unit}"
            out.append(SumRelation(f"{where}.total.{unit}", statement, (f"{where}.total.{unit}",), parts))
    return out


def _column_sums(published: PublishedTable, unit: Unit) -> list[Relation]:
    out: list[Relation] = []
    if published.total is None:
        return out
    for column in COLUMNS:
        if published.total.cell(column, unit) is None or not _complete(published, column, unit):
            continue
        whole = f"total.{column}.{unit}"
        parts = tuple((f"categories.{name}.{column}.{unit}", 1) for name in published.categories)
        out.append(SumRelation(whole, f"{whole} = sum of the categories' {column}.{unit}", (whole,), parts))
    return out


def _causes(published: PublishedTable, unit: Unit) -> list[Relation]:
    """Return the sum of causes: a column's total where that is printed, else the sum of its categories."""
    column = published.causes_of
    if not published.causes or any(getattr(a, unit) is None for a in published.causes.values()):
        return []
    if published.total is not None and published.total.cell(column, unit) is not None:
        whole: tuple[str, ...] = (f"total.{column}.{unit}",)
        statement = whole[0]
    elif _complete(published, column, unit):
        whole = tuple(f"categories.{name}.{column}.{unit}" for name in published.categories)
        statement = f"sum of the categories' {column}.{unit}"
    else:
        return []
    parts = tuple((f"causes.{cause}.{unit}", 1) for cause in published.causes)
    return [SumRelation("causes", f"{statement} = sum of causes.{unit}", whole, parts, group_is_parts=True)]


_FLOWS = {
    "identified": 1, "rolled_back": 1, "re_marked": 1, "eliminated": -1, "removed": -1,
    "label_withdrawn": -1, "natural_increase": 1, "natural_decrease": -1,
}  # fmt: skip


def _movements(published: PublishedTable, unit: Unit) -> list[Relation]:
    """Return closing = opening + flows; a flow that no row prints is no part of this publication."""
    natural = ("natural_increase", "natural_decrease")
    printed = [c for c in _FLOWS if any(r.cell(c, unit) is not None for r in published.rows().values())]
    flows = [c for c in printed if unit == "p" or c not in natural]
    # Persons also change by births, deaths and moves: without these lines the sum cannot be checked.
    if unit == "p" and not set(natural) & set(flows):
        return []
    out: list[Relation] = []
    for where, row in published.rows().items():
        needed = ("opening", "closing", *flows)
        running = row.cell("total", unit) is not None and row.cell("remaining", unit) is not None
        if running or any(row.cell(c, unit) is None for c in needed):
            continue
        whole = f"{where}.closing.{unit}"
        parts = ((f"{where}.opening.{unit}", 1), *((f"{where}.{c}.{unit}", _FLOWS[c]) for c in flows))
        signed = " ".join(f"{'+' if _FLOWS[c] > 0 else '-'} {c}" for c in flows)
        out.append(SumRelation(whole, f"{where}: closing.{unit} = opening {signed}", (whole,), parts))
    return out


def _shares(published: PublishedTable) -> list[Relation]:
    """Return the printed shares; one is checked only where every unit that it may be of is printed whole.

    A unit of which the table has no cell at all is taken as not meant.
    """
    out: list[Relation] = []
    printed = [
        u for u in UNITS if any(r.cell(c, u) is not None for r in published.rows().values() for c in COLUMNS)
    ]
    categories = {u: tuple(f"categories.{name}.total.{u}" for name in published.categories) for u in printed}
    whole = all(_complete(published, "total", unit) for unit in printed)
    for where, row in published.rows().items():
        known = whole and all(row.cell("total", unit) is not None for unit in printed)
        if row.share_pct is None or not printed or not known:
            continue
        bases = tuple((u, f"{where}.total.{u}", categories[u]) for u in printed)
        exponent = row.share_pct.as_tuple().exponent
        digits = max(0, -exponent) if isinstance(exponent, int) else 0
        out.append(ShareRelation(f"{where}.share_pct", Fraction(1, 10**digits), digits, bases))
    return out


def _complete(published: PublishedTable, column: str, unit: Unit) -> bool:
    rows = published.categories.values()
    return bool(rows) and all(row.cell(column, unit) is not None for row in rows)
