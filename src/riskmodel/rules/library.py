"""Finding, reading and checking rule sets: packaged ids, or a user's own YAML by its path.

Checks of a rule set beyond its shape: every name, type and reference, tried without any data.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import ibis
import pandas as pd

from riskmodel.data import canonical_schema, codes, contract
from riskmodel.errors import SpecError
from riskmodel.io import find_declaration, parse_spec
from riskmodel.rule_files import SETS, describe_rule_sets, read_rule_file
from riskmodel.rules import backends as rows
from riskmodel.rules.backends import GAPS, household_scope
from riskmodel.rules.declaration import RelativeLine, RuleSet, parameter_text, vocabulary
from riskmodel.rules.expression import (
    FUNCTIONS,
    ExpressionError,
    RowTest,
    Scope,
    evaluate_condition,
    evaluate_expression,
    names,
    parse_expression,
    row_tests,
)

_TYPES = {
    "yuan": "float64", "share": "float64", "ratio": "float64", "count": "int64", "flag": "boolean",
    "code": "string", "date": "date",
}  # fmt: skip


def rule_expressions(ruleset: RuleSet) -> dict[str, str]:
    """Return every expression of a rule set that must be true or false, by the key it stands under."""
    out = {f"conditions.{n}.applies": c.applies for n, c in ruleset.conditions.items() if c.applies}
    out |= {f"conditions.{name}.when": c.when for name, c in ruleset.conditions.items()}
    out |= {f"focus.{name}.when": c.when for name, c in ruleset.focus.items()}
    out |= {f"categories.{c.id}.when": c.when for c in ruleset.categories}
    out |= {f"tiers.{c.id}.when": c.when for c in ruleset.tiers}
    out |= {f"outcomes.{c.outcome}.when": c.when for c in ruleset.outcomes}
    for key in ("income_band", "income_plan"):
        clause = getattr(ruleset, key)
        if clause is not None:
            out[f"{key}.when"] = clause.when
    if ruleset.flagged_only is not None:
        out["flagged_only"] = ruleset.flagged_only
    return out


def rule_row_tests(ruleset: RuleSet) -> list[RowTest]:
    """Return every row test that a rule set asks for."""
    texts = [*rule_expressions(ruleset).values(), *(q.when for q in ruleset.quantities.values())]
    return [test for text in texts for test in row_tests(parse_expression(text))]


def check_rules(ruleset: RuleSet) -> list[str]:
    """Return what is wrong in a rule set beyond its shape: names, types, references."""
    faults = [*_clashes(ruleset), *_strange_codes(ruleset), *_strange_parameters(ruleset)]
    figures: dict[RowTest, Any] = {}
    # What cannot be read itself: whatever builds on it is not judged, so that only the first cause is said.
    broken: set[str] = set()
    scope = _dry_scope(ruleset, figures, faults, broken)
    for key, text in rule_expressions(ruleset).items():
        name = key.split(".")[1] if key.startswith("conditions.") else ""
        value = _evaluate_dry(evaluate_condition, key, text, scope, (ruleset, figures), faults, broken)
        if value is None:
            broken |= {name}
        elif name and key.endswith(".when"):
            scope.names[name] = value  # type: ignore[index]
    return faults


def _evaluate_dry(
    evaluate: Callable[[ast.expr, Scope], Any],
    key: str,
    text: str,
    scope: Scope,
    of: tuple[RuleSet, dict[RowTest, Any]],
    faults: list[str],
    broken: set[str],
) -> Any:
    """Return an expression's value; None, and its fault unless another one causes it, where it has none."""
    try:
        node = _checked(text, *of)
        unknown = names(node) - set(scope.names)
        own = sorted(unknown - broken)
        if unknown and not own:
            return None
        if own and own[0] in of[0].conditions:
            raise ExpressionError(f"{own[0]!r} does not stand above it; a condition may use those above")
        if own:
            node = ast.Name(own[0], ast.Load())
        return evaluate(node, scope)
    except ExpressionError as exc:
        faults.append(f"{key}: {exc} (given: {text!r})")
        return None


def _checked(text: str, ruleset: RuleSet, figures: dict[RowTest, Any]) -> ast.expr:
    """Return an expression whose row tests are tried, each with a figure to stand for it."""
    node = parse_expression(text)
    for test in row_tests(node):
        evaluate_condition(
            test.node, rows.row_test_scope(_dry_rows(test.relation), test.relation, _plain(ruleset))
        )
        figures[test] = _dry_figures()[test.how]
    return node


def _plain(ruleset: RuleSet) -> dict[str, Any]:
    return {n: v for n, v in ruleset.values().items() if not isinstance(v, dict | RelativeLine)}


@cache
def _dry_figures() -> ibis.Table:
    return ibis.table({"passing": "int64", "unclear": "int64", "latest": "date"}, name="figures")


@cache
def _dry_rows(relation: str) -> ibis.Table:
    spec = vocabulary().relations[relation]
    columns = dict(canonical_schema(spec.table).items()) | {
        "age": "int32",
        "ended": "boolean",
        "as_of": "date",
    }
    return ibis.table(columns, name=relation)


def _dry_scope(ruleset: RuleSet, figures: dict[RowTest, Any], faults: list[str], broken: set[str]) -> Scope:
    columns = {name: _TYPES[q.kind] for name, q in vocabulary().quantities.items()}
    columns |= {f"cause_{c}": "boolean" for c in codes("risk_events", "cause")}
    columns |= dict.fromkeys(GAPS, "boolean") | {"register_causes": "string"}
    columns |= {n: "float64" for n, v in ruleset.values().items() if isinstance(v, dict | RelativeLine)}
    table = ibis.table(columns, name="households")
    values: dict[str, Any] = {name: table[name] for name in vocabulary().quantities}
    values |= {n: table[n] if n in columns else v for n, v in ruleset.values().items()}
    scope = household_scope(values, figures, table)
    for name, helper in ruleset.quantities.items():
        key = f"quantities.{name}.when"
        value = _evaluate_dry(
            evaluate_expression, key, helper.when, scope, (ruleset, figures), faults, broken
        )
        if value is None:
            broken.add(name)
        else:
            values[name] = value
    return scope


def _clashes(ruleset: RuleSet) -> Iterator[str]:
    owners = dict.fromkeys([*vocabulary().quantities, *vocabulary().relations, *FUNCTIONS], "the vocabulary")
    owners.pop("line")  # a parameter may be the line
    for section in ("parameters", "quantities", "conditions"):
        for name in getattr(ruleset, section):
            if name in owners or not name.isidentifier():
                reason = (
                    f"taken by {owners[name]}" if name in owners else "no plain name (letters, digits, _)"
                )
                yield f"{section}.{name}: the name is {reason}; choose another"
            owners.setdefault(name, section)
    for name in ruleset.focus:
        if name in ruleset.conditions:
            yield f"focus.{name}: a condition has this id; choose another"
    for section in ("categories", "tiers"):
        counts = Counter(c.id for c in getattr(ruleset, section))
        yield from (f"{section}.{i}: stands twice" for i, n in sorted(counts.items()) if n > 1)
        reserved = {"none", "unknown", ""} & set(counts)
        yield from (f"{section}.{i}: this id is reserved; choose another" for i in sorted(reserved))


def _strange_codes(ruleset: RuleSet) -> Iterator[str]:
    """Yield tables, columns and causes that the data contract does not know."""
    for name, condition in ruleset.conditions.items():
        for need in condition.needs:
            if not column_exists(need):
                yield f"conditions.{name}.needs: {need!r} is no table.column of the data contract"
    for clock in ruleset.clocks:
        for end in (clock.start, clock.end):
            if end is not None and not column_exists(end.partition("=")[0]):
                yield f"clocks.{clock.id}: {end!r} is no column of the data contract"
    causes = codes("risk_events", "cause")
    for name, risk in ruleset.scale_risks.items():
        if risk.cause not in (None, *causes):
            yield f"scale_risks.{name}.cause: {risk.cause!r}: one of {', '.join(causes)}"


def _strange_parameters(ruleset: RuleSet) -> Iterator[str]:
    """Yield what the line, income bands, negative list and size check name wrongly."""
    yield from (f"line: {fault}" for fault in _line_faults(ruleset))
    if ruleset.income_band and list(ruleset.income_band.edges) != sorted(set(ruleset.income_band.edges)):
        yield "income_band.edges: must rise"
    if ruleset.negative_list:
        kinds = ruleset.parameters.get(ruleset.negative_list.kinds)
        if kinds is None or kinds.kind != "codes":
            yield "negative_list.kinds: must name a parameter of kind codes"
    if check := ruleset.size_check:
        shares = (check.expected, check.low, check.high)
        yield from (f"size_check: {n!r} is no parameter" for n in shares if n not in ruleset.parameters)


def _line_faults(ruleset: RuleSet) -> Iterator[str]:
    try:
        used = names(parse_expression(ruleset.line))
    except ExpressionError as exc:
        yield str(exc)
        return
    if unknown := sorted(used - set(ruleset.parameters)):
        allowed = ", ".join(ruleset.parameters) or "none"
        yield f"no parameter {', '.join(unknown)}; the line is an expression over: {allowed}"
        return
    relative = [n for n in used if isinstance(ruleset.values()[n], RelativeLine)]
    if relative and ruleset.line not in relative:
        yield "a relative line stands alone; name its parameter and nothing else"


def list_rule_sets() -> pd.DataFrame:
    """Return one row per packaged rule set.

    Returns
    -------
    DataFrame
        ``id, name_zh, name_en, jurisdiction_zh, jurisdiction_en, valid_from, source, line, categories,
        tiers, flagged, parameters`` (assumptions marked with ``*``).
    """
    table = pd.DataFrame(describe_rule_sets())  # what a set says is checked when it is used
    return table.assign(valid_from=pd.to_datetime(table["valid_from"]))


def load_rules(name: str | Path | RuleSet) -> RuleSet:
    """Return a checked rule set.

    Parameters
    ----------
    name : str, Path or RuleSet
        A packaged id, or the path of a YAML file; a rule set is handed back as it is.

    Returns
    -------
    RuleSet
        Checked; a packaged set is read once.

    Raises
    ------
    UsageError
        If there is no such set; the message lists what there is.
    InputMissing
        If there is no such file.
    SpecError
        If the file is wrong; the message names file, key and what is allowed.

    Examples
    --------
    >>> load_rules("national-2021").flagged_categories
    ('unstable_lifted', 'marginal', 'sudden_hardship')
    """
    if isinstance(name, RuleSet):
        return name
    path = find_declaration(name, SETS, "rule set")
    return _packaged(path.stem) if path.parent == SETS else _read(path)


@cache
def _packaged(name: str) -> RuleSet:
    return _read(SETS / f"{name}.yaml")


def _read(path: Path) -> RuleSet:
    ruleset = parse_spec(read_rule_file(path), RuleSet, path)
    faults = check_rules(ruleset)
    if faults:
        raise SpecError("\n".join(f"{path}: {fault}" for fault in faults))
    return ruleset


def parameter_table(ruleset: RuleSet, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Return a rule set's parameters as a table for people.

    Parameters
    ----------
    ruleset
        A loaded set.
    params : mapping, optional
        Overrides.

    Returns
    -------
    DataFrame
        ``name, value, unit, zh, en, source, assumption``.
    """
    values = ruleset.values(params)
    return pd.DataFrame(
        [
            {
                "name": n,
                "value": parameter_text(values[n]),
                **p.model_dump(include={"unit", "zh", "en", "source", "assumption"}),
            }
            for n, p in ruleset.parameters.items()
        ]
    )


def column_exists(name: str) -> bool:
    """Say whether ``table`` or ``table.column`` is in the data contract.

    Examples
    --------
    >>> column_exists("members.schooling"), column_exists("members.income")
    (True, False)
    """
    table, _, column = name.partition(".")
    spec = contract().tables.get(table)
    return spec is not None and (not column or column in spec.columns)
