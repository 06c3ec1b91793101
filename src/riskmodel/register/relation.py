"""One relation between printed cells: a sum, or a share; over exact numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from riskmodel.register.published import UNIT_NAMES, Unit

Cells = Mapping[str, Fraction]


@dataclass(frozen=True)
class Sum:
    """``whole = Σ sign × part``; ``where`` names the group when no single cell is guilty.

    ``printed`` and ``expected`` of the group are its whole and what the parts give, or, where the group is
    the parts (``causes``), the other way round.
    """

    where: str
    told: str
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
        """Say whether the relation holds."""
        return self.residual(cells) == 0

    def values_for(self, path: str, cells: Cells) -> list[Fraction]:
        """Return the value of one cell that makes the relation hold, the others as they are."""
        return [cells[path] - self.residual(cells) / self.terms[path]]

    def sides(self, cells: Cells) -> tuple[Fraction, Fraction]:
        """Return what the group prints and what it should."""
        whole = sum((cells[path] for path in self.whole), Fraction(0))
        parts = sum((sign * cells[path] for path, sign in self.parts), Fraction(0))
        return (parts, whole) if self.group_is_parts else (whole, parts)

    def tell(self, cells: Cells) -> str:
        """Return the relation with its figures."""
        whole = " + ".join(str(cells[path]) for path in self.whole)
        parts = " ".join(f"{'+' if sign > 0 else '-'} {cells[path]}" for path, sign in self.parts)
        sums = self.sides(cells)
        total = sums[0] if self.group_is_parts else sums[1]
        sign = "=" if self.holds(cells) else "≠"
        return f"{self.told}: {whole} {sign} {parts.removeprefix('+ ')} = {total}"


@dataclass(frozen=True)
class Share:
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
        for _, own, every in self.bases:
            out |= {own: 1} | dict.fromkeys(every, 1)
        return out

    def share(self, basis: tuple[Unit, str, tuple[str, ...]], cells: Cells) -> Fraction | None:
        """Return the share in per cent on one basis, None where nothing is to be shared."""
        _, own, every = basis
        whole = sum((cells[path] for path in every), Fraction(0))
        return 100 * cells[own] / whole if whole else None

    def basis(self, cells: Cells) -> Unit | None:
        """Return the unit from which the printed share follows, households first; None if from neither."""
        for basis in self.bases:
            share = self.share(basis, cells)
            if share is not None and abs(share - cells[self.where]) <= self.tolerance:
                return basis[0]
        return None

    def holds(self, cells: Cells) -> bool:
        """Say whether the printed share follows from households or persons."""
        return self.basis(cells) is not None

    def values_for(self, path: str, cells: Cells) -> list[Fraction]:
        """Return values of one cell that would make the share follow (counts rounded to whole ones)."""
        found = []
        for basis in self.bases:
            _, own, every = basis
            if path == self.where:
                share = self.share(basis, cells)
                found.append(None if share is None else Fraction(half_up(share, self.digits)))
            elif path in every or path == own:
                found.append(self._count(path, own, every, cells))
        return [value for value in found if value is not None]

    def _count(self, path: str, own: str, every: tuple[str, ...], cells: Cells) -> Fraction | None:
        share = cells[self.where] / 100
        others = sum((cells[p] for p in every if p != path), Fraction(0))
        if path == own and own not in every:
            value: Fraction | None = share * others
        elif path == own:
            value = share * others / (1 - share) if share < 1 else None
        else:
            value = cells[own] / share - others if share else None
        return None if value is None else Fraction(round(value))

    def expected(self, cells: Cells, prefer: Unit) -> Fraction | None:
        """Return the share that should stand there, rounded as printed."""
        by_unit = {basis[0]: self.share(basis, cells) for basis in self.bases}
        chosen = by_unit.get(prefer)
        chosen = next((s for s in by_unit.values() if s is not None), None) if chosen is None else chosen
        return None if chosen is None else Fraction(half_up(chosen, self.digits))

    def tell(self, cells: Cells) -> str:
        """Return the relation with its figures, on every basis there is."""
        told = []
        for basis in self.bases:
            unit, own, every = basis
            share = self.share(basis, cells)
            if share is not None:
                whole = sum((cells[path] for path in every), Fraction(0))
                value = half_up(share, max(self.digits, 1))
                told.append(f"100 × {cells[own]} / {whole} = {value} ({UNIT_NAMES[unit]})")
        return f"{self.where} = 100 × total / sum of the categories' totals: {'; '.join(told)}"


Relation = Sum | Share


def half_up(value: Fraction, digits: int) -> Decimal:
    """Return an exact value rounded to printed digits, halves away from zero.

    Examples
    --------
    >>> half_up(Fraction(82700, 1144), 1)
    Decimal('72.3')
    """
    scaled = value * 10**digits
    whole = int(scaled + Fraction(1, 2)) if scaled >= 0 else -int(-scaled + Fraction(1, 2))
    return Decimal(whole).scaleb(-digits)


def as_number(value: Fraction) -> int | float:
    """Return an exact value as JSON can hold it."""
    return int(value) if value.denominator == 1 else float(value)
