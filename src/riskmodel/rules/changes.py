"""What changed in the verdicts between two days, and why: conditions that came or went, figures that moved.

Two answers to "why" are kept apart. A household's situation changed, or the office only learned later what
had been so all along: ``late_records`` says that the earlier day, judged with what is known now, already
gives the present verdict.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.data import County
from riskmodel.errors import UsageError
from riskmodel.households import DateLike, Moment, as_moments, window_end
from riskmodel.i18n import Language, section
from riskmodel.rules.declaration import RuleSet, vocabulary
from riskmodel.rules.evaluate import Schedule, evaluate_rules, read_scores, rule_schedule, rules_valid_at
from riskmodel.rules.explain import FIGURES, format_figure

# In the order in which they are asked; the first that holds is the household's kind of change.
KINDS = (
    "newly_flagged", "no_longer_flagged", "category_changed", "tier_changed", "became_unknown",
    "known_again", "outcome_changed",
)  # fmt: skip
VERDICT = ("flagged", "category", "tier", "outcome")
WHERE = ("township", "village", "registration")
DECIMALS = 9  # as thresholds are compared (official rules, "Exactly"): less is no movement
UNKNOWN = "unknown"


def find_verdict_changes(
    county: County,
    ruleset: str | Path | RuleSet | Schedule,
    as_of: DateLike,
    before: DateLike | None = None,
    *,
    params: Mapping[str, Any] | None = None,
    scores: pd.DataFrame | str | Path | None = None,
    verdicts: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return every household whose verdict differs between two days, with what moved.

    Parameters
    ----------
    county
        The checked tables.
    ruleset : rule set, sequence or mapping
        As in `evaluate_history`: where the set changed in between, each day is judged by its own.
    as_of
        The day, or days, spoken of; each is judged by what was known then.
    before : date or ISO text, optional
        The earlier day; a month before by default (from a month's end: the end of the month before).
    params, scores
        As in `riskmodel.rules.evaluate_rules`.
    verdicts : DataFrame, optional
        The verdicts at ``as_of`` by the same set, parameters and scores, where they were made already.

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
    now, then = _days(as_of, before)
    starts = rule_schedule(ruleset)
    _refuse_strange(params, [rules_valid_at(starts, m.as_of) for m in (then, now)])
    score_rows = None if scores is None else read_scores(scores)
    # Scores are often of the later day alone; the earlier one is then judged without.
    earlier = None if score_rows is None or then.as_of not in set(score_rows["as_of"]) else score_rows
    new = verdicts if verdicts is not None else _judged(county, starts, now, params, score_rows)
    new = new.set_index("household_id")
    old = _judged(county, starts, then, params, earlier).set_index("household_id")
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
    again = _judged(county, starts, Moment(then.as_of, now.known_by), params, earlier) if len(out) else None
    out["late_records"] = _same_verdict(out, again)
    order = out["kind"].map(KINDS.index)
    return out.iloc[_positions(out.assign(_kind=order))].reset_index(drop=True)


def _refuse_strange(params: Mapping[str, Any] | None, sets: list[RuleSet]) -> None:
    known = {name for ruleset in sets for name in ruleset.parameters}
    strange = {n: v for n, v in (params or {}).items() if n not in known}
    if strange:
        sets[-1].values(strange)  # raises, with the names that there are


def _judged(
    county: County,
    starts: Mapping[dt.date, RuleSet],
    when: Moment,
    params: Mapping[str, Any] | None,
    scores: pd.DataFrame | None,
) -> pd.DataFrame:
    """Return the verdicts of a day by the set valid then; overrides go to the sets that know them."""
    chosen = rules_valid_at(starts, when.as_of)
    own = {n: v for n, v in (params or {}).items() if n in chosen.parameters}
    return evaluate_rules(county, chosen, when, params=own, scores=scores)


def _positions(out: pd.DataFrame) -> list[int]:
    return list(out.sort_values(["_kind", "township", "household_id"]).index)


def _days(as_of: DateLike, before: DateLike | None) -> tuple[Moment, Moment]:
    (now,) = as_moments(as_of)
    (then,) = as_moments(before if before is not None else window_end(now.as_of, -1))
    if then.as_of >= now.as_of:
        raise UsageError(f"changes are since an earlier day: {then.as_of} does not lie before {now.as_of}")
    return now, then


def _kinds(new: pd.DataFrame, old: pd.DataFrame) -> pd.Series:
    """Return each household's kind of change; empty where there is none."""
    flag = {
        "new": new["flagged"].fillna(False).astype(bool),
        "old": old["flagged"].fillna(False).astype(bool),
    }
    known_twice = new["category"].notna() & old["category"].notna()
    unclear, was_unclear = new["category"] == UNKNOWN, old["category"] == UNKNOWN
    holds = {
        "newly_flagged": flag["new"] & ~flag["old"],
        "no_longer_flagged": flag["old"] & ~flag["new"],
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
    now, then = _sets(new["conditions"]), _sets(old["conditions"])
    unclear, was_unclear = _sets(new["unknown"]), _sets(old["unknown"])
    return {
        "appeared": [";".join(i for i in a if i not in b) for a, b in zip(now, then, strict=True)],
        "disappeared": [";".join(i for i in b if i not in a) for a, b in zip(now, then, strict=True)],
        "became_unclear": [
            ";".join(i for i in a if i not in b) for a, b in zip(unclear, was_unclear, strict=True)
        ],
    }


def _moved(new: pd.DataFrame, old: pd.DataFrame) -> list[str]:
    """Return the figures that differ, beyond rounding; a figure that came or went counts."""
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
    judged_again = again.set_index("household_id").reindex(changed["household_id"])
    same = [
        judged_again[n].astype(object).fillna("").to_numpy()
        == changed[n].astype(object).fillna("").to_numpy()
        for n in VERDICT
    ]
    return list(same[0] & same[1] & same[2] & same[3])


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
    say, parts = section("rules.changes", lang), []
    for key in ("appeared", "disappeared", "became_unclear"):
        named = [_name(ruleset, i, lang) for i in row[key].split(";") if i]
        if named:
            parts.append(say[key].format(listed=say["and"].join(named)))
    quantities = vocabulary().quantities
    moved = [
        say["from_to"].format(
            name=getattr(quantities[n], lang),
            old=format_figure(quantities[n], _value(row[f"{n}_before"]), lang),
            new=format_figure(quantities[n], _value(row[n]), lang),
        )
        for n in row["moved"].split(";")
        if n
    ]
    parts += [say["moved"].format(listed=say["and"].join(moved))] if moved else []
    if pd.isna(row["category"]) or pd.isna(row["category_before"]):
        parts.append(say["left" if pd.isna(row["category"]) else "entered"])
    parts += [say["late"]] if row["late_records"] else []
    return say["stop"].join(parts) or say["register"]


def _value(value: Any) -> Any:
    return None if pd.isna(value) else value


def _name(ruleset: RuleSet, condition: str, lang: Language) -> str:
    known = ruleset.conditions.get(condition) or ruleset.focus.get(condition)
    return condition if known is None else str(getattr(known, lang))
