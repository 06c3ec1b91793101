"""Which relations must hold in a published ledger, over the cells that are printed."""

from __future__ import annotations

from fractions import Fraction

from riskmodel.register.published import UNITS, Published, Row, Unit
from riskmodel.register.relation import Relation, Share, Sum


def relations(published: Published) -> list[Relation]:
    """Return every relation whose cells are all printed.

    Parameters
    ----------
    published : Published

    Returns
    -------
    list of Sum or Share
        Rows, then columns, causes, shares, movements.

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


def _row_sums(published: Published, unit: Unit) -> list[Relation]:
    out: list[Relation] = []
    for where, row in published.rows().items():
        if all(row.cell(c, unit) is not None for c in ("total", "eliminated", "remaining")):
            parts = tuple((f"{where}.{c}.{unit}", 1) for c in ("eliminated", "remaining"))
            told = f"{where}: total.{unit} = eliminated.{unit} + remaining.{unit}"
            out.append(Sum(f"{where}.total.{unit}", told, (f"{where}.total.{unit}",), parts))
    return out


def _column_sums(published: Published, unit: Unit) -> list[Relation]:
    out: list[Relation] = []
    if published.total is None:
        return out
    for column in _columns():
        if published.total.cell(column, unit) is None or not _complete(published, column, unit):
            continue
        whole = f"total.{column}.{unit}"
        parts = tuple((f"categories.{name}.{column}.{unit}", 1) for name in published.categories)
        out.append(Sum(whole, f"{whole} = sum of the categories' {column}.{unit}", (whole,), parts))
    return out


def _causes(published: Published, unit: Unit) -> list[Relation]:
    """Causes add up to a column: to its total where that is printed, else to the sum of its categories."""
    column = published.causes_of
    if not published.causes or any(getattr(a, unit) is None for a in published.causes.values()):
        return []
    if published.total is not None and published.total.cell(column, unit) is not None:
        whole: tuple[str, ...] = (f"total.{column}.{unit}",)
        told = whole[0]
    elif _complete(published, column, unit):
        whole = tuple(f"categories.{name}.{column}.{unit}" for name in published.categories)
        told = f"sum of the categories' {column}.{unit}"
    else:
        return []
    parts = tuple((f"causes.{cause}.{unit}", 1) for cause in published.causes)
    return [Sum("causes", f"{told} = sum of causes.{unit}", whole, parts, group_is_parts=True)]


_FLOWS = {
    "identified": 1, "rolled_back": 1, "re_marked": 1, "eliminated": -1, "removed": -1,
    "label_withdrawn": -1, "natural_increase": 1, "natural_decrease": -1,
}  # fmt: skip


def _movements(published: Published, unit: Unit) -> list[Relation]:
    """Take closing = opening + flows; a flow that no row prints is no part of this publication."""
    natural = ("natural_increase", "natural_decrease")
    printed = [c for c in _FLOWS if any(r.cell(c, unit) is not None for r in published.rows().values())]
    flows = [c for c in printed if unit == "p" or c not in natural]
    # Persons come and go by themselves: without that line nothing can be said of them.
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
        out.append(Sum(whole, f"{where}: closing.{unit} = opening {signed}", (whole,), parts))
    return out


def _shares(published: Published) -> list[Relation]:
    """Take the printed shares; one is judged only where every unit that it may be of is printed whole.

    A unit of which the table has no cell at all is taken as not meant.
    """
    out: list[Relation] = []
    printed = [
        u
        for u in UNITS
        if any(r.cell(c, u) is not None for r in published.rows().values() for c in _columns())
    ]
    every = {u: tuple(f"categories.{name}.total.{u}" for name in published.categories) for u in printed}
    whole = all(_complete(published, "total", unit) for unit in printed)
    for where, row in published.rows().items():
        known = whole and all(row.cell("total", unit) is not None for unit in printed)
        if row.share_pct is None or not printed or not known:
            continue
        bases = tuple((u, f"{where}.total.{u}", every[u]) for u in printed)
        exponent = row.share_pct.as_tuple().exponent
        digits = max(0, -exponent) if isinstance(exponent, int) else 0
        out.append(Share(f"{where}.share_pct", Fraction(1, 10**digits), digits, bases))
    return out


def _columns() -> list[str]:
    return [c for c in Row.model_fields if c != "share_pct"]


def _complete(published: Published, column: str, unit: Unit) -> bool:
    rows = published.categories.values()
    return bool(rows) and all(row.cell(column, unit) is not None for row in rows)
