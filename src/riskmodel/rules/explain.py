"""Why this verdict: numbers, line, conditions met and unknown, source paragraphs, in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.data import County, codes
from riskmodel.errors import UsageError
from riskmodel.households import DateLike, known_county
from riskmodel.i18n import LANGUAGES, Language, pair, section
from riskmodel.rules import backends
from riskmodel.rules.backends import GAPS
from riskmodel.rules.declaration import Category, Clause, Quantity, RuleSet, Tier, vocabulary
from riskmodel.rules.engine import RuleCase
from riskmodel.rules.evaluate import query_verdicts, score_table, verdict_frame
from riskmodel.rules.expression import names, parse_expression
from riskmodel.rules.library import load_rules

_ANSWER = {True: "yes", False: "no", None: "unknown"}
FIGURES = (
    "persons", "net_income", "pcni", "line", "previous_pcni", "income_drop", "rigid", "rigid_ratio",
)  # fmt: skip


def explain_verdict(
    county: County,
    ruleset: str | Path | RuleSet,
    as_of: DateLike,
    household_id: str,
    *,
    params: Mapping[str, Any] | None = None,
    scores: pd.DataFrame | str | Path | None = None,
) -> dict[str, Any]:
    """Say why a household got its verdict.

    Parameters
    ----------
    county
        The checked tables.
    ruleset
        A packaged id, the path of a YAML, or a loaded set.
    as_of
        The day, or days, spoken of; each is judged by what was known then.
    household_id
        Whose verdict is explained.
    params, scores
        As in `riskmodel.rules.evaluate_rules`.

    Returns
    -------
    dict
        ``household_id, as_of, ruleset``; ``verdict`` (as of `evaluate_rules`, plain values); ``conditions``
        (those that apply to the household, each with ``id``, ``holds`` (True, False or None), ``zh``, ``en``,
        ``source`` and the ``figures`` it looks at); ``zh`` and ``en``, the whole as text.

    Raises
    ------
    UsageError
        If the household is not known at as-of.
    """
    chosen = load_rules(ruleset)
    known = known_county(county, as_of)
    score_rows = None if scores is None else score_table(scores, known.moments)
    case = RuleCase(chosen, chosen.values(params))
    with backends.stored_figures(known, case.tests.values()) as figures:
        rows = query_verdicts(known, case, figures, score_rows, household_id)
        row = verdict_frame(case, known.moments, rows)
        quantities = query_verdicts(known, case, figures, score_rows, household_id, _wanted(case))
    day = known.moments[0].as_of
    if row.empty:
        raise UsageError(f"no household {household_id!r} is known at {day}")
    verdict = _plain(row.iloc[0].to_dict())
    raw = _plain(quantities[_wanted(case)].iloc[0].to_dict())
    applicable = {n: c for n, c in chosen.conditions.items() if raw.get(f"a_{n}", True) is not False}
    conditions = [_condition(case, name, c, raw) for name, c in applicable.items()]
    out: dict[str, Any] = {
        "household_id": household_id,
        "as_of": str(day),
        "ruleset": chosen.id,
        "verdict": verdict,
        "conditions": conditions,
    }
    for lang in LANGUAGES:
        out[lang] = "\n".join(_lines(case, verdict, raw, conditions, lang))
    return out


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {k: None if pd.isna(v) else getattr(v, "item", lambda v=v: v)() for k, v in row.items()}


def _wanted(case: RuleCase) -> list[str]:
    quantities = [n for n in vocabulary().quantities if n != "line"]
    causes = [f"cause_{c}" for c in codes("risk_events", "cause")]
    register = ["register_event", "register_causes", "register_category"]
    conditions = [f"c_{n}" for n in case.ruleset.conditions]
    applies = [f"a_{n}" for n, c in case.ruleset.conditions.items() if c.applies]
    return [*quantities, "line", *causes, *register, *conditions, *applies]


def _used(case: RuleCase, expression: str) -> list[str]:
    """Return the quantities behind an expression, looking through helpers and other conditions."""
    out: list[str] = []
    for name in sorted(names(parse_expression(expression))):
        inner: Clause | None = case.ruleset.quantities.get(name) or case.ruleset.conditions.get(name)
        if inner is not None:
            out += _used(case, inner.when)
        elif name in vocabulary().quantities:
            out.append(name)
    order = list(vocabulary().quantities)
    return sorted(set(out), key=order.index)


def _condition(case: RuleCase, name: str, c: Clause, raw: dict[str, Any]) -> dict[str, Any]:
    holds = raw[f"c_{name}"]
    return {
        "id": name,
        "holds": None if holds is None else bool(holds),
        **pair(c),
        "source": c.source,
        "figures": {q: raw[q] for q in _used(case, c.when)},
    }


def format_figure(quantity: Quantity, value: Any, lang: Language) -> str:
    """Return a value as people read it.

    Examples
    --------
    >>> format_figure(vocabulary().quantities["pcni"], 5999.5, "en")
    '5,999.50 yuan'
    >>> format_figure(vocabulary().quantities["income_drop"], 0.5, "zh")
    '50.00%'
    """
    if value is None:
        return section("rules.verdict", lang)["missing"]
    if quantity.kind == "yuan":
        return section("rules.verdict", lang)["yuan"].format(value=f"{value:,.2f}")
    if quantity.kind == "share":
        return f"{100 * value:.2f}%"
    if quantity.kind == "ratio":
        return "∞" if value == float("inf") else f"{value:.4f}"
    if quantity.kind == "flag":
        return section("rules.verdict", lang)["yes" if value else "no"]
    if quantity.kind == "code" and lang == "zh":
        return codes("households", "registration").get(value, str(value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _figures(figures: Mapping[str, Any], lang: Language) -> str:
    return section("rules.verdict", lang)["and"].join(
        format_named_figure(vocabulary().quantities[q], v, lang) for q, v in figures.items()
    )


def format_named_figure(quantity: Quantity, value: Any, lang: Language) -> str:
    """Return a value with its name; one below zero under the name that turns its sign, where it has one.

    Examples
    --------
    >>> format_named_figure(vocabulary().quantities["income_drop"], -0.2387, "zh")
    '收入增长 23.87%'
    """
    turned = getattr(quantity, f"negative_{lang}")
    if turned and value is not None and value < 0:
        return f"{turned} {format_figure(quantity, -value, lang)}"
    return f"{getattr(quantity, lang)} {format_figure(quantity, value, lang)}"


def _lines(
    case: RuleCase,
    verdict: dict[str, Any],
    raw: dict[str, Any],
    conditions: list[dict[str, Any]],
    lang: Language,
) -> list[str]:
    say, ruleset = section("rules.verdict", lang), case.ruleset
    name = ruleset.name_zh if lang == "zh" else ruleset.name_en
    day = str(verdict["as_of"])[:10]
    out = [say["head"].format(ruleset=name, id=ruleset.id, as_of=day, household=verdict["household_id"])]
    out.append(_verdict(case, verdict, lang))
    out.append(say["period"].format(start=verdict["period_from"], end=verdict["period_to"]))
    out.append(say["numbers"] + " " + _figures({q: raw[q] for q in FIGURES}, lang))
    out += _risks(raw, lang)
    out.append(say["conditions"])
    held = section("rules.answers", lang)
    for c in conditions:
        figures = _figures(c["figures"], lang)
        shown = f" [{figures}]" if figures else ""
        out.append(
            f"- {c[lang]}: {held[_ANSWER[c['holds']]]}{shown} ({say['source']} {c['source']}; {c['id']})"
        )
    out += _further(case, verdict, lang)
    used = verdict["assumptions"]
    return [*out, say["assumptions"].format(assumptions=used.replace(";", "; "))] if used else out


def _risks(raw: dict[str, Any], lang: Language) -> list[str]:
    """Return the open causes, the gaps and the latest register row."""
    say = section("rules.verdict", lang)

    def words(ids: list[str], names_zh: Mapping[str, str]) -> str:
        return say["and"].join(names_zh.get(i, i) if lang == "zh" else i for i in ids) or say["nothing"]

    causes = codes("risk_events", "cause")
    known = raw["cause_illness"] is not None
    open_causes = words([c for c in causes if raw[f"cause_{c}"]], causes) if known else say["no_table"]
    gaps = {q: getattr(vocabulary().quantities[q], lang) for q in GAPS}
    missing = say["and"].join(word for q, word in gaps.items() if raw[q]) or say["nothing"]
    out = [say["causes"].format(listed=open_causes), say["gaps"].format(listed=missing)]
    if raw["register_event"] is not None:
        event = words([raw["register_event"]], codes("monitoring", "event"))
        named = words((raw["register_causes"] or "").split(";"), causes) if raw["register_causes"] else None
        parts = [event, str(raw["register_date"])[:10], raw["register_category"], named]
        out.append(say["register"].format(listed=say["and"].join(x for x in parts if x)))
    return out


def _verdict(case: RuleCase, verdict: dict[str, Any], lang: Language) -> str:
    say, ruleset = section("rules.verdict", lang), case.ruleset
    matched: Category | None = next((c for c in ruleset.categories if c.id == verdict["category"]), None)
    tier: Tier | None = next((t for t in ruleset.tiers if t.id == verdict["tier"]), None)
    if verdict["registration"] not in ruleset.meant_for():
        known = vocabulary().quantities["registration"]
        category = say["not_meant"].format(registration=format_figure(known, verdict["registration"], lang))
    elif verdict["category"] == "unknown":
        reason = section("rules.reasons", lang).get(verdict["income_reason"], say["missing"])
        category = say["unknown"].format(reason=reason)
    else:
        category = f"{getattr(matched, lang)} ({matched.id})" if matched else say["none"]
    colour = say["tier"].format(tier=f"{getattr(tier, lang)} ({tier.id})") if tier else ""
    source = matched.source if matched else tier.source if tier else ruleset.source
    return say["verdict"].format(category=category, tier=colour, source=source)


def _further(case: RuleCase, verdict: dict[str, Any], lang: Language) -> list[str]:
    say, ruleset, out = section("rules.verdict", lang), case.ruleset, []
    proposed = next((v for v in ruleset.outcomes if v.outcome == verdict["outcome"]), None)
    if proposed:
        words = f"{getattr(proposed, lang)} ({proposed.outcome})"
        out.append(say["outcome"].format(outcome=words, source=proposed.source))
    if verdict["removed_by"]:
        kinds = [codes("assets", "kind")[k] if lang == "zh" else k for k in verdict["removed_by"].split(";")]
        out.append(say["removed_by"].format(kinds=say["and"].join(kinds)))
    if verdict["focus"]:
        flags = [getattr(ruleset.focus[i], lang) for i in verdict["focus"].split(";")]
        out.append(say["focus"].format(focus=say["and"].join(flags)))
    return out
