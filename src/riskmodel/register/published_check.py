"""Checking a published register table: which relations are broken, and which cell explains it.

The search takes the fewest changed cells. A cell is named when correcting it alone repairs more than one
broken relation and breaks none that holds, and no other cell could do as well; then cells are tried two and
three together, which must repair more relations than they are cells. What is left is reported as a broken
group, with the cells that could each repair it as ``suspects``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from riskmodel.i18n import check_language, text
from riskmodel.register.published import (
    UNIT_NAMES,
    Relation,
    ShareRelation,
    SumRelation,
    Unit,
    read_published_table,
    table_relations,
    to_number,
)

FORMAT = "riskmodel-ledger-check/1"
# Three connected errors can still be located cell by cell; with more the printed table does not tell which.
MAX_JOINT_ERRORS = 3
# Sets of cells tried in one group of connected relations before it is reported as a group (seconds at most).
MAX_CANDIDATE_SETS = 20_000


@dataclass(frozen=True)
class Correction:
    """One cell, a value for it, and the broken relations (by id) that it repairs."""

    path: str
    value: Fraction
    repairs: frozenset[int]


def locate_errors(relations: list[Relation], cells: dict[str, Fraction]) -> dict[str, Fraction]:
    """Return the cells that explain broken relations, with their expected values."""
    errors: dict[str, Fraction] = {}
    corrected = dict(cells)
    while step := _single_error(relations, corrected) or _joint_errors(relations, corrected):
        errors |= step
        corrected |= step
    return errors


def _single_error(relations: list[Relation], cells: dict[str, Fraction]) -> dict[str, Fraction]:
    """Return one cell that alone repairs more than one relation, better than any rival."""
    corrections = single_corrections(relations, cells, least=2)
    for correction in corrections:
        rivals = [c for c in corrections if c is not correction and c.repairs & correction.repairs]
        if all(len(c.repairs) < len(correction.repairs) for c in rivals):
            return {correction.path: correction.value}
    return {}


def single_corrections(relations: list[Relation], cells: dict[str, Fraction], least: int) -> list[Correction]:
    """Return every change of one cell that repairs ``least`` broken relations and breaks none that holds."""
    broken = [r for r in relations if not r.holds(cells)]
    of = _by_cell(relations)
    out = []
    for path in cells:
        values = {v for r in broken if path in r.terms for v in r.values_for(path, cells)}
        for value in sorted(v for v in values if _printable(v, path) and v != cells[path]):
            repaired = _repaired(of[path], {**cells, path: value}, cells)
            if repaired is not None and len(repaired) >= least:
                out.append(Correction(path, value, repaired))
    return out


def _printable(value: Fraction, path: str) -> bool:
    """Whether a value could stand in a cell: nothing is negative, households and persons are whole."""
    return value >= 0 and (value.denominator == 1 or path.endswith(".share_pct"))


def _repaired(
    near: list[Relation], changed: dict[str, Fraction], cells: dict[str, Fraction]
) -> frozenset[int] | None:
    """Return the relations that a change repairs; None if it breaks one that holds."""
    broken = [relation for relation in near if not relation.holds(cells)]
    if any(not relation.holds(changed) for relation in near if relation not in broken):
        return None
    return frozenset(id(relation) for relation in broken if relation.holds(changed))


def _by_cell(relations: list[Relation]) -> dict[str, list[Relation]]:
    out: dict[str, list[Relation]] = {}
    for relation in relations:
        for path in relation.terms:
            out.setdefault(path, []).append(relation)
    return out


def _joint_errors(relations: list[Relation], cells: dict[str, Fraction]) -> dict[str, Fraction]:
    """Return cells that together repair a whole group of connected relations, in the only way there is."""
    for group in _connected_groups([r for r in relations if not r.holds(cells)]):
        for size in range(2, min(MAX_JOINT_ERRORS, len(group) - 1) + 1):
            corrections = _joint_corrections(group, relations, cells, size)
            if not corrections:
                continue
            common = dict(set(corrections[0].items()).intersection(*(c.items() for c in corrections)))
            # A cell in one broken relation only cannot be told from the others of its relation.
            common = {p: v for p, v in common.items() if sum(p in r.terms for r in group) > 1}
            if common:
                return common
            break
    return {}


def _connected_groups(broken: list[Relation]) -> list[list[Relation]]:
    """Split broken relations into groups that share cells, directly or through one another."""
    out: list[list[Relation]] = []
    for relation in broken:
        connected = [g for g in out if any(set(r.terms) & set(relation.terms) for r in g)]
        out = [g for g in out if g not in connected]
        out.append([r for g in connected for r in g] + [relation])
    return out


def _joint_corrections(
    group: list[Relation], relations: list[Relation], cells: dict[str, Fraction], size: int
) -> list[dict[str, Fraction]]:
    """Return every set of ``size`` changed cells that repairs the whole group and breaks nothing."""
    of = _by_cell(relations)
    corrections: dict[frozenset[str], dict[str, Fraction]] = {}
    candidates = _candidate_sets(group, size)
    if candidates is None:
        return []
    for candidate in candidates:
        near = list({id(r): r for p in candidate for r in of[p]}.values())
        values = _solve_cells(sorted(candidate), [r for r in near if isinstance(r, SumRelation)], cells)
        if values is None:
            continue
        changed = {**cells, **values}
        if all(r.holds(changed) for r in group) and all(r.holds(changed) for r in near):
            corrections[candidate] = values
    return list(corrections.values())


def _candidate_sets(group: list[Relation], size: int) -> list[frozenset[str]] | None:
    """Return the sets of cells that touch every broken relation; None if there are too many to try."""
    sets: set[frozenset[str]] = {frozenset()}
    for relation in group:
        grown: set[frozenset[str]] = set()
        for cells in sets:
            if cells & set(relation.terms):
                grown.add(cells)
            elif len(cells) < size:
                grown |= {cells | {path} for path in relation.terms}
        sets = grown
        if len(sets) > MAX_CANDIDATE_SETS:
            return None
    return sorted((s for s in sets if len(s) == size), key=sorted)


def _solve_cells(
    paths: list[str], sums: list[SumRelation], cells: dict[str, Fraction]
) -> dict[str, Fraction] | None:
    """Return the values of some cells that make all sums hold; None if there are none or many."""
    rows = [[Fraction(r.terms.get(p, 0)) for p in paths] + [-r.residual(cells)] for r in sums]
    pivots = 0
    for column in range(len(paths)):
        pivot = next((i for i in range(pivots, len(rows)) if rows[i][column]), None)
        if pivot is None:
            return None
        rows[pivots], rows[pivot] = rows[pivot], rows[pivots]
        top = [x / rows[pivots][column] for x in rows[pivots]]
        rows = [
            top if i == pivots else [x - row[column] * t for x, t in zip(row, top, strict=True)]
            for i, row in enumerate(rows)
        ]
        pivots += 1
    if any(row[-1] for row in rows[pivots:]):
        return None
    values = {p: cells[p] + rows[i][-1] for i, p in enumerate(paths)}
    whole = all(v >= 0 and v.denominator == 1 and v != cells[p] for p, v in values.items())
    return values if whole else None


def check_published(published: Mapping[str, Any] | str | Path) -> dict[str, Any]:
    """Check a published register table against itself.

    Parameters
    ----------
    published
        Plain values or a YAML file in the contract's form; counts are households ``hh`` and persons ``p``.

    Returns
    -------
    dict
        ``balanced`` (bool); ``findings``: a list of ``where, printed, expected, relations`` (texts), and for
        a group that no single cell explains ``suspects`` (``where, expected``: cells that could each repair
        it);
        ``shares``: each printed share that follows, and from what (``households``, ``persons``);
        ``relations_checked``: how many relations had all their cells printed; ``format``, ``period``.

    Raises
    ------
    SpecError
        If the file or a key is wrong.

    References
    ----------
    Data contract, "A published ledger, to be checked".

    Examples
    --------
    >>> answer = check_published({
    ...     "categories": {
    ...         "a": {"total": {"hh": 317}, "eliminated": {"hh": 129}, "remaining": {"hh": 125}},
    ...         "b": {"total": {"hh": 827}, "eliminated": {"hh": 582}, "remaining": {"hh": 245}},
    ...     },
    ...     "total": {"eliminated": {"hh": 774}},
    ... })
    >>> [(f["where"], f["printed"], f["expected"]) for f in answer["findings"]]
    [('categories.a.eliminated.hh', 129, 192)]
    """
    table = read_published_table(published)
    cells = {path: Fraction(value) for path, value in table.cells().items()}
    relations = table_relations(table)
    findings = _findings(relations, cells)
    shares = [r for r in relations if isinstance(r, ShareRelation)]
    bases = {r.where: basis for r in shares if (basis := r.basis(cells))}
    return {
        "format": FORMAT,
        "period": None if table.period is None else str(table.period),
        "balanced": not findings,
        "findings": findings,
        "shares": {where: UNIT_NAMES[basis] for where, basis in bases.items()},
        "relations_checked": len(relations),
    }


def _findings(relations: list[Relation], cells: dict[str, Fraction]) -> list[dict[str, Any]]:
    descriptions = {id(r): r.describe(cells) for r in relations}
    errors = locate_errors(relations, cells)
    corrected = dict(cells)
    out = []
    for path, value in errors.items():
        broken = [r for r in relations if path in r.terms and not r.holds(cells)]
        out.append(_finding(path, cells[path], value, [descriptions[id(r)] for r in broken]))
        corrected[path] = value
    prefer = _prevailing_basis(relations, corrected)
    for relation in relations:
        if not relation.holds(corrected):
            out.append(_group_finding(relation, relations, corrected, prefer))
    order = {path: i for i, path in enumerate(cells)}
    return sorted(out, key=lambda f: order.get(f["where"], len(order)))


def _finding(
    where: str, printed: Fraction, expected: Fraction | None, relations: Iterable[str]
) -> dict[str, Any]:
    return {
        "where": where,
        "printed": to_number(printed),
        "expected": None if expected is None else to_number(expected),
        "relations": list(relations),
    }


def _group_finding(
    relation: Relation, relations: list[Relation], cells: dict[str, Fraction], prefer: Unit
) -> dict[str, Any]:
    description = [relation.describe(cells)]
    if isinstance(relation, ShareRelation):
        expected = relation.expected(cells, prefer)
        return _finding(relation.where, cells[relation.where], expected, description)
    finding = _finding(relation.where, *relation.printed_and_expected(cells), description)
    suspects = [r for r in single_corrections(relations, cells, least=1) if id(relation) in r.repairs]
    return {**finding, "suspects": [{"where": r.path, "expected": to_number(r.value)} for r in suspects]}


def _prevailing_basis(relations: list[Relation], cells: dict[str, Fraction]) -> Unit:
    """Return the unit that the other printed shares follow from; households where they do not say."""
    bases = [r.basis(cells) for r in relations if isinstance(r, ShareRelation)]
    return "p" if bases.count("p") > bases.count("hh") else "hh"


def describe_check(answer: Mapping[str, Any], lang: str = "zh") -> str:
    """Return the answer of `check_published` as text for a reader.

    Parameters
    ----------
    answer
        As `check_published` returns it.
    lang
        ``zh`` or ``en``.

    Returns
    -------
    str
        One line for each finding, relation and suspect.

    Raises
    ------
    UsageError
        If the language is unknown.
    """
    language = check_language(lang)

    def phrase(name: str, **values: Any) -> str:
        return text(f"register.check.{name}", language, **values)

    if not answer["relations_checked"]:
        return phrase("nothing")
    findings = answer["findings"]
    lines = [phrase("checked", n=answer["relations_checked"])]
    lines.append(phrase("findings", n=len(findings)) if findings else phrase("balanced"))
    for finding in findings:
        lines.append(phrase("finding", **{k: finding[k] for k in ("where", "printed", "expected")}))
        lines += [f"  {relation}" for relation in finding["relations"]]
        if suspects := finding.get("suspects"):
            cells = ", ".join(f"{s['where']} = {s['expected']}" for s in suspects)
            lines.append(f"  {phrase('suspects', cells=cells)}")
    lines += [phrase(basis, where=where) for where, basis in answer["shares"].items()]
    return "\n".join(lines)
