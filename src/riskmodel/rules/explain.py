"""Why this verdict, and why another than before, in both languages.

A verdict is explained by its numbers, the line, conditions met and unknown, and sources; a change between
days by conditions that came or went and figures that moved. A change of the household is kept apart from
what the office only learned later: ``late_records`` says that the earlier day, judged with what is known
now, already gives the present verdict.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.data import County, codes
from riskmodel.errors import UsageError
from riskmodel.households import DateLike, KnownCounty, Moment, known_county, window_end
from riskmodel.i18n import LANGUAGES, Language, pair, section
from riskmodel.rules import backends
from riskmodel.rules.backends import GAPS
from riskmodel.rules.completeness import describe_records, name_reasons
from riskmodel.rules.declaration import Category, Clause, RuleSet, Tier, vocabulary
from riskmodel.rules.engine import REFERENCE, UNKNOWN, RuleCase
from riskmodel.rules.evaluate import (
    RECORDS_INCOMPLETE,
    Schedule,
    evaluate_without_bounds,
    judge_households,
    own_overrides,
    query_verdicts,
    read_scores,
    rule_schedule,
    rules_valid_at,
    score_table,
)
from riskmodel.rules.expression import DECIMALS
from riskmodel.rules.library import load_rules
from riskmodel.rules.quantities import used_quantities

_ANSWER = {True: "yes", False: "no", None: "unknown"}
FIGURES = (
    "persons", "net_income", "pcni", "line", "previous_pcni", "income_drop", "rigid", "rigid_ratio",
)  # fmt: skip


def explain_verdict(
    county: County | KnownCounty,
    ruleset: str | Path | RuleSet,
    as_of: DateLike | None,
    household_id: str,
    *,
    params: Mapping[str, Any] | None = None,
    scores: pd.DataFrame | str | Path | None = None,
) -> dict[str, Any]:
    """Say why a household got its verdict.

    Parameters
    ----------
    county
        The checked tables, or a `KnownCounty` of one day.
    ruleset
        A packaged id, the path of a YAML, or a loaded set.
    as_of
        The day, judged by what was known then; None for a `KnownCounty`.
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
    loaded = load_rules(ruleset)
    known = known_county(county, as_of)
    score_rows = None if scores is None else score_table(scores, known.moments)
    case = RuleCase(loaded, loaded.values(params))
    with backends.stored_figures(known, case.tests.values()) as figures:
        row = judge_households(known, case, figures, score_rows, household_id)
        quantities = query_verdicts(known, case, figures, score_rows, household_id, _wanted(case))
    day = known.as_of
    if row.empty:
        raise UsageError(f"no household {household_id!r} is known at {day}")
    verdict = _plain(row.iloc[0].to_dict())
    raw = _plain(quantities[_wanted(case)].iloc[0].to_dict())
    applicable = {n: c for n, c in loaded.conditions.items() if raw.get(f"a_{n}", True) is not False}
    conditions = [_condition(case, name, c, raw) for name, c in applicable.items()]
    texts: dict[str, str] = {
        lang: "\n".join(_lines(case, verdict, raw, conditions, lang)) for lang in LANGUAGES
    }
    return {
        "household_id": household_id,
        "as_of": str(day),
        "ruleset": loaded.id,
        "verdict": verdict,
        "conditions": conditions,
        **texts,
    }


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {k: None if pd.isna(v) else getattr(v, "item", lambda v=v: v)() for k, v in row.items()}


def _wanted(case: RuleCase) -> list[str]:
    conditions = case.ruleset.conditions
    return [
        *(n for n in vocabulary().quantities if n != "line"),
        "line",
        *(f"cause_{c}" for c in codes("risk_events", "cause")),
        *("register_event", "register_causes", "register_category", "register_month_only"),
        *(f"c_{n}" for n in conditions),
        *(f"a_{n}" for n, c in conditions.items() if c.applies),
    ]


def _condition(case: RuleCase, name: str, c: Clause, raw: dict[str, Any]) -> dict[str, Any]:
    holds = raw[f"c_{name}"]
    return {
        "id": name,
        "holds": None if holds is None else bool(holds),
        **pair(c),
        "source": c.source,
        "figures": {q: raw[q] for q in used_quantities(case.ruleset, c.when)},
    }


def _figures(figures: Mapping[str, Any], lang: Language) -> str:
    return section("rules.verdict", lang)["and"].join(
        vocabulary().quantities[q].named(v, lang) for q, v in figures.items()
    )


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
    period = say["period"] if verdict["period_from"] else say["no_period"]
    out.append(period.format(start=verdict["period_from"], end=verdict["period_to"]))
    if records := describe_records(verdict, lang):
        out.append(say["records"].format(said=say["stop"].join(records)))
    told = [*FIGURES, *([REFERENCE] if raw[REFERENCE] is not None else [])]
    out.append(say["numbers"] + " " + _figures({q: raw[q] for q in told}, lang))
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
        day = str(raw["register_date"])[: 7 if raw["register_month_only"] else 10]
        gone = getattr(vocabulary().quantities["vanished_naturally"], lang)
        parts = [event, day, gone if raw["vanished_naturally"] else None, raw["register_category"], named]
        out.append(say["register"].format(listed=say["and"].join(x for x in parts if x)))
    return out


def _verdict(case: RuleCase, verdict: dict[str, Any], lang: Language) -> str:
    say, ruleset = section("rules.verdict", lang), case.ruleset
    matched: Category | None = next((c for c in ruleset.categories if c.id == verdict["category"]), None)
    tier: Tier | None = next((t for t in ruleset.tiers if t.id == verdict["tier"]), None)
    if verdict["registration"] is None:
        category = say["unreadable"]
    elif verdict["registration"] not in ruleset.meant_for():
        known = vocabulary().quantities["registration"]
        category = say["not_meant"].format(registration=known.format(verdict["registration"], lang))
    elif verdict["category"] == UNKNOWN:
        reasons = name_reasons(verdict["income_reason"], lang) or [say["missing"]]
        category = say["unknown"].format(reason=say["and"].join(reasons))
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


# In the order in which they are asked; the first that holds is the household's kind of change.
KINDS = (
    "newly_flagged", "no_longer_flagged", "category_changed", "tier_changed", "became_unknown",
    "known_again", "outcome_changed",
)  # fmt: skip
VERDICT = ("flagged", "category", "tier", "outcome")
WHERE = ("township", "village", "registration")


def judge_month_before(
    known: KnownCounty, ruleset: RuleSet, params: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Return the verdicts of the month before, by what was known then.

    Parameters
    ----------
    known
        The county as known at one day.
    ruleset
        A loaded set.
    params
        Overrides.

    Returns
    -------
    DataFrame
        As `riskmodel.rules.evaluate_rules`, without bounds of incomes; ``gap_medical`` beside them.
    """
    earlier = known_county(known.county, window_end(known.as_of, -1))
    with known.county.with_temporary_tables():
        verdicts = _judged(earlier, {earlier.as_of: ruleset}, params, None)
        insured = earlier.accounts().select("household_id", "gap_medical").to_pandas()
    return verdicts.merge(insured, on="household_id", how="left", validate="1:1")


def find_verdict_changes(
    county: County | KnownCounty,
    ruleset: str | Path | RuleSet | Schedule,
    as_of: DateLike | None = None,
    before: DateLike | None = None,
    *,
    params: Mapping[str, Any] | None = None,
    scores: pd.DataFrame | str | Path | None = None,
    verdicts: pd.DataFrame | None = None,
    earlier_verdicts: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return every household whose verdict differs between two days, with what moved.

    Parameters
    ----------
    county
        The checked tables, or a `KnownCounty` of one day.
    ruleset : rule set, sequence or mapping
        As in `evaluate_history`: where the set changed in between, each day is judged by its own.
    as_of
        The later day, judged by what was known then.
    before : date or ISO text, optional
        The earlier day; a month before by default (from a month's end: the end of the month before).
    params, scores
        As in `riskmodel.rules.evaluate_rules`.
    verdicts : DataFrame, optional
        The verdicts at ``as_of`` by the same set, parameters and scores, where they were made already.
    earlier_verdicts
        Those of the earlier day, as `judge_month_before` makes them.

    Returns
    -------
    DataFrame
        One row per household whose category, tier, outcome or flag differs, sorted by kind, township and
        household: ``household_id, township, village, registration, as_of, since, kind`` (of `KINDS`);
        ``flagged, category, tier, outcome, ruleset`` and `FIGURES`, each also with ``_before`` (missing where
        the household was not known then); ``appeared, disappeared`` (ids of conditions that hold now
        and did not, and the reverse), ``became_unclear`` (ids that can no longer be judged),
        ``moved`` (names of figures that differ), ``late_records`` (see the module), all ``;``-joined.

    Raises
    ------
    UsageError
        If ``before`` does not lie before ``as_of``, or as `riskmodel.rules.evaluate_history` says.
    """
    known = known_county(county, as_of)
    (now,) = known.moments
    known_then = known_county(known.county, before if before is not None else window_end(now.as_of, -1))
    (then,) = known_then.moments
    if then.as_of >= now.as_of:
        raise UsageError(f"changes are since an earlier day: {then.as_of} does not lie before {now.as_of}")
    starts = rule_schedule(ruleset)
    sets = {m.as_of: rules_valid_at(starts, m.as_of) for m in (then, now)}
    score_rows = None if scores is None else read_scores(scores)
    # Scores are often of the later day alone; the earlier one is then judged without.
    earlier = None if score_rows is None or then.as_of not in set(score_rows["as_of"]) else score_rows
    new = verdicts if verdicts is not None else _judged(known, sets, params, score_rows)
    new = new.set_index("household_id")
    # A county as known earlier is looked at here alone, and is as large as that of today.
    with known.county.with_temporary_tables():
        old = earlier_verdicts if earlier_verdicts is not None else _judged(known_then, sets, params, earlier)
        old = old.set_index("household_id")
    ids = sorted(set(new.index) | set(old.index))
    new, old = new.reindex(ids), old.reindex(ids)
    out = pd.DataFrame({"household_id": ids})
    for name in WHERE:
        out[name] = new[name].fillna(old[name]).to_numpy()
    out["as_of"], out["since"] = pd.Timestamp(now.as_of), pd.Timestamp(then.as_of)
    out["kind"] = _kinds(new, old).to_numpy()
    for name in ("ruleset", *VERDICT, *FIGURES):
        out[name], out[f"{name}_before"] = new[name].to_numpy(), old[name].to_numpy()
    for name in ("flagged", "flagged_before"):
        out[name] = out[name].fillna(False).astype(bool)
    out = out.assign(**_conditions(new, old), moved=_moved(new, old))
    out = out[out["kind"] != ""].reset_index(drop=True)
    late = known_county(known.county, Moment(then.as_of, now.known_by))
    with known.county.with_temporary_tables():
        again = _judged(late, sets, params, earlier) if len(out) else None
    out["late_records"] = _same_verdict(out, again)
    out = out.assign(_kind=out["kind"].map(KINDS.index)).sort_values(["_kind", "township", "household_id"])
    return out.drop(columns="_kind").reset_index(drop=True)


def _judged(
    known: KnownCounty,
    sets: Mapping[dt.date, RuleSet],
    params: Mapping[str, Any] | None,
    scores: pd.DataFrame | None,
) -> pd.DataFrame:
    """Return the verdicts of a day by the set valid then; overrides go to the sets that know them.

    Whether a verdict depends on the bounds of an income is no part of a change, and is not asked.
    """
    own = own_overrides(params, sets[known.as_of], list(sets.values()))
    return evaluate_without_bounds(known, sets[known.as_of], own, scores)


def _kinds(new: pd.DataFrame, old: pd.DataFrame) -> pd.Series:
    """Return each household's kind of change; empty where there is none."""
    flagged, was_flagged = (verdicts["flagged"].fillna(False).astype(bool) for verdicts in (new, old))
    known_twice = new["category"].notna() & old["category"].notna()
    unclear, was_unclear = new["category"] == UNKNOWN, old["category"] == UNKNOWN
    holds = {
        "newly_flagged": flagged & ~was_flagged,
        "no_longer_flagged": was_flagged & ~flagged,
        "became_unknown": known_twice & unclear & ~was_unclear,
        "known_again": known_twice & was_unclear & ~unclear,
    }
    for name in ("category", "tier", "outcome"):
        holds[f"{name}_changed"] = known_twice & (new[name].fillna("") != old[name].fillna(""))
    # Losing or finding the income is no change of category of the household's own.
    holds["category_changed"] &= ~(unclear | was_unclear)
    holds["tier_changed"] &= ~(unclear | was_unclear)
    out = pd.Series("", index=new.index, dtype=object)
    for kind in reversed(KINDS):
        out = out.where(~holds[kind], kind)
    return out


def _sets(joined: pd.Series) -> list[list[str]]:
    return [[part for part in text.split(";") if part] for text in joined.fillna("")]


def _conditions(new: pd.DataFrame, old: pd.DataFrame) -> dict[str, list[str]]:
    def only_in(these: list[list[str]], those: list[list[str]]) -> list[str]:
        return [";".join(i for i in a if i not in b) for a, b in zip(these, those, strict=True)]

    now, then = _sets(new["conditions"]), _sets(old["conditions"])
    return {
        "appeared": only_in(now, then),
        "disappeared": only_in(then, now),
        "became_unclear": only_in(_sets(new["unknown"]), _sets(old["unknown"])),
    }


def _moved(new: pd.DataFrame, old: pd.DataFrame) -> list[str]:
    """Return the figures that differ beyond the rounding of thresholds; one that came or went counts."""
    both = new["category"].notna() & old["category"].notna()
    differ = {}
    for name in FIGURES:
        a, b = new[name].astype(float), old[name].astype(float)
        differ[name] = (both & ~((a.round(DECIMALS) == b.round(DECIMALS)) | (a.isna() & b.isna()))).tolist()
    return [";".join(n for n in FIGURES if differ[n][i]) for i in range(len(new))]


def _same_verdict(changed: pd.DataFrame, again: pd.DataFrame | None) -> list[bool]:
    """Say for which households the earlier day, as known now, already gives the present verdict."""
    if again is None:
        return []
    earlier = again.set_index("household_id").reindex(changed["household_id"])
    before, now = (t[list(VERDICT)].astype(object).fillna("").to_numpy() for t in (earlier, changed))
    return (before == now).all(axis=1).tolist()


def count_changes_by_township(changes: pd.DataFrame) -> pd.DataFrame:
    """Count changes by township and kind.

    Parameters
    ----------
    changes : DataFrame
        From `find_verdict_changes`.

    Returns
    -------
    DataFrame
        One row per township with a change, sorted, and one column per kind (households).
    """
    counts = pd.crosstab(changes["township"], changes["kind"]) if len(changes) else pd.DataFrame()
    counts = counts.reindex(columns=list(KINDS), fill_value=0).astype("int64")
    counts.columns.name = None
    return counts.rename_axis("township").reset_index().sort_values("township", ignore_index=True)


def describe_change(ruleset: RuleSet, row: Mapping[str, Any], lang: Language) -> str:
    """Say in one sentence why a household's verdict changed.

    Parameters
    ----------
    ruleset : RuleSet
        The set of the later day; ids that it does not know are named as they are.
    row : mapping
        A row of `find_verdict_changes`.
    lang : str
        ``zh`` or ``en``.

    Returns
    -------
    str
        Plain text, without a full stop.
    """
    say, parts, values = section("rules.changes", lang), [], _plain(row)
    for key in ("appeared", "disappeared", "became_unclear"):
        named = [_name(ruleset, i, lang) for i in row[key].split(";") if i]
        if named:
            parts.append(say[key].format(listed=say["and"].join(named)))
    quantities = vocabulary().quantities
    moved = [
        say["from_to"].format(
            name=getattr(quantities[n], lang),
            old=quantities[n].format(values[f"{n}_before"], lang),
            new=quantities[n].format(values[n], lang),
        )
        for n in row["moved"].split(";")
        if n
    ]
    parts += [say["moved"].format(listed=say["and"].join(moved))] if moved else []
    if values["category"] is None or values["category_before"] is None:
        parts.append(say["left" if values["category"] is None else "entered"])
    parts += [say["late"]] if row["late_records"] else []
    return say["stop"].join(parts) or say["register"]


def _name(ruleset: RuleSet, condition: str, lang: Language) -> str:
    if condition == RECORDS_INCOMPLETE:
        return str(section("rules.changes", lang)[RECORDS_INCOMPLETE])
    known = ruleset.conditions.get(condition) or ruleset.focus.get(condition)
    return condition if known is None else str(getattr(known, lang))
