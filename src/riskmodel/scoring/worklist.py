"""The worklist: whom to visit, in what order, what the visitor should know, and what more visits would reach.

All whom a rule flags are listed, duties come first, a random share is drawn by lot from what they leave, the
rest is chosen by probability (`riskmodel.scoring.duties`, `riskmodel.scoring.visit_plan`).
Its columns are declared in ``worklist_columns.yaml``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from riskmodel import rules
from riskmodel.cases import CaseLog
from riskmodel.data import County, codes
from riskmodel.errors import InputRefused, UsageError
from riskmodel.explanation import find_listed_facts
from riskmodel.households import KnownCounty, known_county, to_date
from riskmodel.i18n import Language, Nouns, Words, section
from riskmodel.io import parse_spec, read_yaml
from riskmodel.register import NATURAL_CHANGE
from riskmodel.scoring.answers import by_answer
from riskmodel.scoring.duties import (
    CARD_RULESET,
    Duties,
    find_duties,
    listed_rule_set,
    look_up,
    quarter_end,
    register_facts,
)
from riskmodel.scoring.joins import count_unmet
from riskmodel.scoring.list_totals import DUTY_SOURCES, SOURCES, coverage_curve, forecast_only, list_totals
from riskmodel.scoring.visit_plan import (
    PLACES,
    BeyondForecast,
    PlaceKind,
    Quota,
    add_duties,
    add_visit_dates,
    is_silent,
    number_trips,
    parse_quotas,
    plan_visits,
)

NEEDED_COLUMNS = ("household_id", "township", "village", "as_of", "probability", "rule_category", "pcni")
CONTEXT_COLUMNS = (
    "registration", "group", "persons", "in_register", "last_visit", "last_outcome", "last_seen", "card",
    "visit_every_days",
)  # fmt: skip
SELECTION_COLUMNS = ["household_id", "as_of", "selected_by", "planned", "chance", "held"]
UNKNOWN_INCOME = "unknown"
BEYOND: BeyondForecast = "none"  # places go to forecasts
QUOTA_FLOOR = 0.1  # a yellow card's probability in cards-2023 (an assumption there)


@dataclass(frozen=True)
class Worklist:
    """A list of households to visit.

    Parameters
    ----------
    listed
        One row a household, in order: ``position`` (from 1), ``planned``, ``selected_by`` (`SOURCES`),
        ``chance``, ``urgency`` (why it is listed: a duty, or how it was chosen), then the columns of the
        scores and, from a county, `CONTEXT_COLUMNS`; ``duties`` (all of them), ``due_date`` (the earliest)
        and ``clock`` (the limit that sets it), ``owed`` (whether a visit is owed now), ``case_state`` (of
        its open case) and ``trip`` (the village's place on its township's tour; 0 unplanned).
    unknown
        Households whose income is unknown and that are not on the list, by probability: they cannot be
        judged, so their income is to be known by the end of the quarter.
    selection
        The log: ``household_id, as_of, selected_by`` (empty: not listed), ``planned, chance`` (of a
        planned visit), ``held`` of every household with known income, or a duty.
    held
        Unflagged households that were visited lately, with ``held_until``; nobody whom a rule flags.
    curve
        What more visits would reach (`coverage_curve`).
    as_of
        Date of the scores.
    visits
        Planned visits asked for.
    random_share
        Of the visits, drawn by lot.
    seed
        Of the lot.
    by
        ``township`` or ``village``: one more sheet for each; or None.
    quotas
        What places are sure of.
    floor
        Probability from which a household that no rule names counts for a quota.
    beyond
        What becomes of households beyond the forecast: ``none``, ``score``, ``half`` or ``last``.
    duties
        What is owed to whom, with the open cases.
    dropped
        Households that a row or cell which could not be used may have taken off the list
        (`riskmodel.rules.find_dropped`); empty without a county.
    facts
        What is on record of each household of ``listed``, ``unknown`` and ``held``
        (`riskmodel.explanation.find_facts`); empty without a county.
    unmet
        Number of households of the scores that the county does not know: nothing of them is told.
    gone
        Households of whom nobody is left, every leaving recorded with its reason: a natural change
        (`riskmodel.register.find_empty_households`), nobody to visit; those that are not clear stand in
        ``unknown``.
    totals
        Counts of households, and sums of probabilities (``expected…``: households expected to be hit
        within the horizon, of those the model was trained for).
    nouns
        What is counted and where, for words.
    """

    listed: pd.DataFrame
    unknown: pd.DataFrame
    selection: pd.DataFrame
    held: pd.DataFrame
    curve: pd.DataFrame
    as_of: dt.date
    visits: int
    random_share: float
    seed: int
    by: PlaceKind | None = None
    quotas: tuple[Quota, ...] = ()
    floor: float = QUOTA_FLOOR
    beyond: BeyondForecast = BEYOND
    duties: Duties | None = None
    dropped: pd.DataFrame = field(default_factory=pd.DataFrame)
    facts: pd.DataFrame = field(default_factory=pd.DataFrame)
    unmet: int = 0
    gone: pd.DataFrame = field(default_factory=pd.DataFrame)
    totals: dict[str, float] = field(default_factory=dict)
    nouns: Nouns = field(default_factory=Nouns)

    def __repr__(self) -> str:
        return f"<Worklist {self.as_of}: {len(self.listed)} households, {len(self.planned)} visits planned>"

    @property
    def planned(self) -> pd.DataFrame:
        """The rows of ``listed`` whose visit is planned."""
        return self.listed[self.listed["planned"]]


def build_worklist(
    scores: pd.DataFrame,
    *,
    visits: int,
    random_share: float = 0.05,
    by: PlaceKind | None = None,
    quota: str | Quota | Iterable[str | Quota] | None = None,
    floor: float = QUOTA_FLOOR,
    beyond: BeyondForecast = BEYOND,
    county: County | KnownCounty | None = None,
    seed: int = 0,
    calendar: str | Path | Mapping[str, Any] | rules.Calendar | None = None,
    params: Mapping[str, Any] | None = None,
    earlier_verdicts: pd.DataFrame | None = None,
    case_log: CaseLog | None = None,
    ruleset: rules.RuleSet | None = None,
) -> Worklist:
    """Choose and order the households to visit.

    Every household that a rule flags is listed, whatever its score. Duties come first, in the order of
    ``duties.yaml`` and by their day, and are never cut for anything else: where they are more than the
    visits, all stay listed and the last of them are not planned yet. At most ``round(random_share × visits)``
    are drawn by lot from the households that no duty names, out of what duties leave; the rest goes to
    forecasts by probability. Planned visits stand before those that wait. Who is not flagged and was visited
    lately is held back, with the reason. Ties go by household id.

    Parameters
    ----------
    scores
        What `score` returns, of one as-of date; ``flagged`` is taken from the rule set's declared
        categories where it is absent.
    visits
        Planned visits, at least 1.
    random_share
        Of the visits, 0 to 1; keeps an unbiased sample of what nobody suspected.
    by
        ``township`` or ``village``: a sheet for each; none by default.
    quota
        ``village``: each that has a household flagged, or at or above the floor, gets a visit; ``village:2``
        two; ``township:50%``: half of the visits are shared out among the townships by their households.
        One, several, or none by default.
    floor
        Probability from which a household that no rule flags counts for a quota.
    beyond
        Where households go that no rule flags and the model did not learn from, below the line or under
        watch: ``none``: only the lot takes them; ``score`` by their score, ``half`` every second place,
        ``last`` after all forecasts.
    county
        Adds what the visitor should know: group, persons, register, card, last visit, as known at as-of;
        without it nobody is held back, because nobody's last visit is known.
    seed
        With the as-of date it fixes the draw.
    calendar
        The office's holidays beside the packaged ones, as `riskmodel.rules.read_calendar` takes them.
    params
        With which the scores' rule set judged: facts are told over its accounting period, and
        who was flagged a month ago is judged by them too.
    earlier_verdicts
        Of the month before, as `riskmodel.rules.judge_month_before` makes them: made here where not given.
    case_log
        The county's (`riskmodel.cases.open_case_log`): explanations owed and reviews asked for.
    ruleset
        That judged the scores; by default the packaged one that they name.

    Returns
    -------
    Worklist
        The same scores in any order give the same list.

    Raises
    ------
    InputRefused
        If a column is missing, a household stands twice, or a probability is not in [0, 1].
    UsageError
        If visits, random_share, by, quota, floor or beyond make no sense.
    """
    _check_options(visits, random_share, by, floor, beyond)
    quotas = parse_quotas(quota)
    households = _checked_scores(scores)
    as_of = to_date(pd.Timestamp(households["as_of"].iloc[0]).date())
    households["flagged"] = _flagged(households)
    dropped, known, unmet = pd.DataFrame(), None, 0
    if county is not None:
        known = known_county(county, as_of)
        judged_by = ruleset or listed_rule_set(households)
        context = household_context(known, households, _of_cards(judged_by, params))
        unmet = count_unmet(households["household_id"], context["household_id"])
        if judged_by is not None:
            dropped = rules.find_dropped(known, judged_by, params=params)
        households = households.drop(columns=[c for c in context if c != "household_id" and c in households])
        households = households.merge(context, on="household_id", how="left", validate="1:1")
    households["in_cohort"] = households["in_cohort"].eq(True) if "in_cohort" in households else True
    unknown = ~households["flagged"] & (
        households["rule_category"].eq(UNKNOWN_INCOME) | households["pcni"].isna()
    )
    duties = find_duties(households, as_of, known, calendar, params, earlier_verdicts, case_log, ruleset)
    states = duties.cases.drop_duplicates("household_id", keep="last").set_index("household_id")["state"]
    households["case_state"] = look_up(households["household_id"], states).astype(object)
    households = add_duties(add_visit_dates(households, as_of), duties.rows)
    judged = households[~unknown | households["owed"] | households["turn"].gt(0)].reset_index(drop=True)
    plan = plan_visits(judged, visits, random_share, [seed, as_of.toordinal()], quotas, floor, beyond)
    chosen = set(plan.loc[plan["selected_by"].ne(""), "household_id"])
    blind = households[unknown & ~households["household_id"].isin(chosen)].reset_index(drop=True)
    blind = blind.assign(due_date=pd.Timestamp(quarter_end(as_of))).drop(columns="turn")
    listed = _in_order(plan)
    held = plan[plan["held"]].reset_index(drop=True).drop(columns=["turn", "ranked"])
    facts = pd.DataFrame()
    if known is not None:
        shown = pd.concat([listed, blind, held], ignore_index=True)
        facts = find_listed_facts(known, shown, params, ruleset)
    gone = blind["household_id"].isin(_gone(facts))
    return Worklist(
        listed=listed,
        unknown=blind[~gone].reset_index(drop=True),
        gone=blind[gone].reset_index(drop=True),
        selection=plan[SELECTION_COLUMNS].sort_values("household_id", ignore_index=True),
        duties=duties,
        dropped=dropped,
        unmet=unmet,
        held=held,
        facts=facts,
        curve=coverage_curve(forecast_only(plan)),
        as_of=as_of,
        visits=visits,
        random_share=random_share,
        seed=seed,
        by=by,
        quotas=quotas,
        floor=floor,
        beyond=beyond,
        totals={
            **list_totals(households, plan, random_share, duties),
            "unknown": int((~gone).sum()),
            "gone": int(gone.sum()),
        },
        nouns=Nouns() if known is None else Nouns.of(known.county.about),
    )


def _gone(facts: pd.DataFrame) -> pd.Series:
    if facts.empty:
        return pd.Series(dtype=str)
    return facts.loc[facts["kind"].eq("nobody") & facts["code"].eq(NATURAL_CHANGE), "household_id"]


def _in_order(plan: pd.DataFrame) -> pd.DataFrame:
    """Return whom the plan lists, in the order of the visits: planned first, then by source and turn."""
    listed = plan[plan["selected_by"] != ""].drop(columns=["held", "held_until", "ranked"])
    # Duties of either source stand in one order.
    order = {source: max(i, len(DUTY_SOURCES)) for i, source in enumerate(SOURCES)}
    order |= dict.fromkeys(DUTY_SOURCES, 0)
    source = listed["selected_by"].map(order)
    listed = listed.assign(_source=source).sort_values(
        ["planned", "_source", "turn"], ascending=[False, True, True], ignore_index=True
    )
    listed = listed.drop(columns=["_source", "turn"])
    listed.insert(0, "position", np.arange(1, len(listed) + 1))
    trips = number_trips(listed[listed["planned"]])
    return listed.assign(trip=trips.reindex(listed.index, fill_value=0).astype(int))


def _check_options(visits: int, random_share: float, by: str | None, floor: float, beyond: str) -> None:
    if beyond not in get_args(BeyondForecast):
        raise UsageError(f"beyond {beyond!r} is unknown; allowed: {', '.join(get_args(BeyondForecast))}")
    if visits < 1:
        raise UsageError(f"visits {visits!r}: plan at least 1")
    if not 0 <= random_share <= 1:
        raise UsageError(f"random share {random_share!r} is outside 0 to 1; 0.05 is one visit in twenty")
    if by not in (None, *PLACES):
        raise UsageError(f"by {by!r} is unknown; allowed: township, village")
    if not 0 <= floor <= 1:
        raise UsageError(f"floor {floor!r} is no probability; 0.1 is a yellow card's")


def _checked_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Return usable scores by falling probability, or by the distance to the line where there is none."""
    missing = [c for c in NEEDED_COLUMNS if c not in scores]
    if missing:
        raise InputRefused(f"scores lack the columns {missing}; write them with riskmodel score")
    if not len(scores):
        raise InputRefused("scores hold no household; score an as-of date at which households exist")
    if scores["as_of"].nunique(dropna=False) != 1:
        raise InputRefused("scores of several as-of dates; a worklist takes one, filter the others out")
    repeated = scores["household_id"][scores["household_id"].duplicated()]
    if len(repeated):
        raise InputRefused(f"household {repeated.iloc[0]!r} stands twice in the scores; keep one row each")
    p = scores["probability"]
    wrong = p.notna() & ~p.between(0, 1)
    if wrong.any():
        raise InputRefused(f"probability {p[wrong].iloc[0]!r} is outside 0 to 1; score again")
    return by_answer(scores).reset_index(drop=True)


def _flagged(scores: pd.DataFrame) -> pd.Series:
    if "flagged" in scores:
        return scores["flagged"].fillna(False).astype(bool)
    if "ruleset" not in scores or scores["ruleset"].nunique(dropna=False) != 1:
        raise InputRefused("scores have neither flagged nor one ruleset; score again, or add flagged")
    return scores["rule_category"].isin(rules.load_rules(scores["ruleset"].iloc[0]).flagged_categories)


def household_context(
    known: KnownCounty, scores: pd.DataFrame | None = None, params: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """Return `CONTEXT_COLUMNS` of each household as known at a date: codes, datetime64, NaN where unknown.

    Beside them what duties go by: ``gap_…`` of the guarantees and ``eliminated_on``.

    ``last_seen`` is the last visit at which somebody was met. The card of a household in the register is the
    worse of the rules' colour and that of the probability in ``scores``; without scores, or a model that is
    silent, the rules' alone, with ``params`` of the cards' rules.
    """
    state = known.accounts()
    own = ("registration", "group", "persons", "in_register")
    state = state.select("household_id", *[c for c in own if c in state.columns]).to_pandas()
    seen = known.rows("visits")
    visits = seen.filter(seen.date <= seen.as_of).select("household_id", "date", "outcome").to_pandas()
    # Two visits of a day: the outcome that says more than "absent" is the later word.
    visits = visits.sort_values(["household_id", "date", "outcome"])
    last = visits.drop_duplicates("household_id", keep="last")
    last = last.rename(columns={"date": "last_visit", "outcome": "last_outcome"})
    met = visits[visits["outcome"] != "absent"].drop_duplicates("household_id", keep="last")
    met = met[["household_id", "date"]].rename(columns={"date": "last_seen"})
    out = state
    for part in (last, met, _cards(known, scores, params), register_facts(known)):
        out = out.merge(part, on="household_id", how="left", validate="1:1")
    for day in ("last_visit", "last_seen"):
        out[day] = pd.to_datetime(out[day])
    facts = [c for c in out if c.startswith("gap_") or c == "eliminated_on"]
    return out.reindex(columns=["household_id", *CONTEXT_COLUMNS, *facts])


def _of_cards(judged_by: rules.RuleSet | None, params: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what was said otherwise of the rules that judge, as far as the rules of cards have it too."""
    cards = rules.load_rules(CARD_RULESET)
    given = dict(params or {})
    own = {name: value for name, value in given.items() if name in cards.parameters}
    if judged_by is not None and judged_by.line in given:
        own[cards.line] = given[judged_by.line]
    return own


def _cards(known: KnownCounty, scores: pd.DataFrame | None, params: Mapping[str, Any] | None) -> pd.DataFrame:
    probabilities = None
    if scores is not None and not is_silent(scores):
        probabilities = scores[["household_id", "as_of", "probability"]]
    verdicts = rules.evaluate_rules(known, CARD_RULESET, params=params, scores=probabilities)
    cards = verdicts[["household_id", "tier", "visit_every_days"]].rename(columns={"tier": "card"})
    return cards.assign(card=cards["card"].replace("", None))


Kind = Literal[
    "text", "wrap", "id", "integer", "yuan", "percent", "chance", "date", "pick", "entry", "date_entry"
]
ENTRY_KINDS = ("pick", "entry", "date_entry")


class Column(Words):
    """A column of the list: how it is written, its heading and what it means."""

    id: str
    kind: Kind
    width: int
    printed: bool = True
    several: bool = False
    choices: str | None = None
    meaning: Words


@cache
def declared_columns() -> tuple[Column, ...]:
    """Return the list's columns in their order, named in both languages (parsed once)."""
    path, words = Path(__file__).with_name("worklist_columns.yaml"), section("worklist.columns")
    named = (
        {**c, **words[c["id"]]["name"], "meaning": words[c["id"]]["meaning"]}
        for c in read_yaml(path)["columns"]
    )
    return tuple(parse_spec(column, Column, path) for column in named)


def code_words(lang: Language) -> dict[str, dict[str, str]]:
    """Return the words of every coded column of the list.

    Parameters
    ----------
    lang
        ``zh`` (the contract's words) or ``en``.

    Returns
    -------
    dict
        ``{column: {code: word}}``, drop-down lists included.
    """
    words = {
        "registration": codes("households", "registration"),
        "last_outcome": codes("visits", "outcome"),
        "selected_by": codes("visits", "selected_by"),
        "outcomes": codes("visits", "outcome"),
        "causes": codes("risk_events", "cause"),
    }
    if lang == "en":
        words = {column: {code: code.replace("_", " ") for code in known} for column, known in words.items()}
    colours = section("worklist.tiers", lang)
    return {**words, **section("worklist.choices", lang), "tier": colours, "card": colours}
