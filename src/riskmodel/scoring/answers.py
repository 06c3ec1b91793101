"""What a trained model can say where other rules judge than those it learnt from: its answer, another, none.

Its label is an income below a line, or what an office did by rules of its own. Neither is the same at another
line: a chance of falling below 6,000 yuan says nothing checked of 7,000. It speaks on where its label stays,
or where it learnt how risk moves with the line; else it is silent, and the rules and a simple order speak.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from riskmodel import features, rules
from riskmodel.households import KnownCounty
from riskmodel.models import model_entry
from riskmodel.rules import RelativeLine, RuleSet
from riskmodel.runs import LoadedModel

ANSWER = "answer"  # the column of scores that says it, where it is another than the model's own
Kind = Literal["own", "recomputed", "silent"]
OWN: Kind = "own"
RECOMPUTED: Kind = "recomputed"
SILENT: Kind = "silent"
# Units of features that stay what they are where all money and the line are multiplied alike.
_OF_MONEY = ("yuan", "yuan_per_head", "yuan_per_head_and_month", "log_yuan")


@dataclass(frozen=True)
class ModelAnswer:
    """What a model says under some rules.

    Parameters
    ----------
    kind
        ``own``: its label is the same there. ``recomputed``: its features are measured from the other line.
        ``silent``: it has no answer.
    why
        A code of ``worklist.answers``: what decides; empty for ``own``.
    factor
        The line over the model's own.
    """

    kind: Kind = OWN
    why: str = ""
    factor: float = 1.0

    @property
    def code(self) -> str:
        """Kind and reason as they stand in the column of scores."""
        return f"{self.kind}:{self.why}"


def find_answer(
    known: KnownCounty, model: LoadedModel, ruleset: RuleSet, params: Mapping[str, Any]
) -> ModelAnswer:
    """Return what a model can say of households that a rule set with its parameters judges.

    Parameters
    ----------
    known
        The county as known at one day.
    model
        With the rules, parameters, events and features it was trained with.
    ruleset, params
        Of the verdicts.

    Returns
    -------
    ModelAnswer
        ``own`` where rules and values are the model's, or its label (an income below a line) asks for the
        same line and period. ``recomputed`` where it learnt from several lines that reach as far, or all its
        features are relative to the line and the year before had its line: the next year of one series.
    """
    own_params = dict(model.card["params"])
    own, asked = model.ruleset.values(own_params), ruleset.values(params)
    if model.ruleset == ruleset and own == asked:
        return ModelAnswer()
    if tuple(model.card["events"]) != ("below_line",):
        return ModelAnswer(SILENT, "events")
    if model_entry(model.kind).needs == "rules":
        return ModelAnswer(SILENT, "rules")
    if model.ruleset.period(own_params) != ruleset.period(params):
        return ModelAnswer(SILENT, "period")
    relative = [v for v in (model.ruleset.relative_line(own_params), ruleset.relative_line(params)) if v]
    if relative:
        return ModelAnswer() if len(relative) == 2 and relative[0] == relative[1] else _moving()
    year = known.as_of.year
    before, now = ((_line(model.ruleset, own, y), _line(ruleset, asked, y)) for y in (year - 1, year))
    if now[0] is None or now[1] is None:
        return ModelAnswer() if now[0] == now[1] else _moving()
    if now[0] == now[1]:
        return ModelAnswer()
    factor = now[1] / now[0]
    if 1 <= factor <= max(model.card.get("line_factors") or (0.0,)):
        return ModelAnswer(RECOMPUTED, "several_lines", factor)
    if before[0] == before[1] and is_relative_to_line(model.feature_set):
        return ModelAnswer(RECOMPUTED, "next_of_series", factor)
    return ModelAnswer(SILENT, "line", factor)


def _moving() -> ModelAnswer:
    return ModelAnswer(SILENT, "relative")


def _line(ruleset: RuleSet, values: Mapping[str, Any], year: int) -> float | None:
    return rules.absolute_line(ruleset, values, year)


def is_relative_to_line(feature_set: features.FeatureSet) -> bool:
    """Say whether every feature stays what it is where all money and the line are multiplied alike."""
    told = [f for f in feature_set.features if not f.intermediate]
    amounts = any(f.unit in _OF_MONEY or "amount" in f.where for f in told)
    fixed = isinstance(feature_set.line, RelativeLine)
    return not amounts and not fixed and bool(features.line_features(feature_set))


def model_for(model: LoadedModel, answer: ModelAnswer) -> LoadedModel:
    """Return a model as it is asked: with its features measured from the other line, where it can tell."""
    if answer.kind != RECOMPUTED:
        return model
    moved = model.feature_set.at_line(answer.factor).model_dump(mode="json", by_alias=True)
    return replace(model, card={**model.card, "feature_set": moved})


def silenced(scores: pd.DataFrame, answer: ModelAnswer, model: LoadedModel) -> pd.DataFrame:
    """Return scores under an answer: where there is none, no probability; the model's own score is kept.

    Whom the model was to speak of then goes by how near the line they are, which everyone can check.
    """
    if answer.kind == OWN:
        return scores
    out = scores.assign(**{ANSWER: answer.code})
    if answer.kind != SILENT:
        return out
    told = ["probability", "probability_low", "probability_high"]
    # What looks at verdicts or the line was asked with those of other rules: that is no score of its own.
    told += [] if model_entry(model.kind).needs in ("features", "place") else ["score"]
    return out.assign(**dict.fromkeys(told, np.nan), tier="")


def by_answer(scores: pd.DataFrame) -> pd.DataFrame:
    """Return scores by falling probability, or where the model is silent by how near the line they are."""
    if answer_of(scores)[0] != SILENT:
        return scores.sort_values(
            ["probability", "household_id"], ascending=[False, True], na_position="last"
        )
    near = scores.assign(_near=scores["pcni"] / scores["line"])
    return near.sort_values(["_near", "household_id"], na_position="last").drop(columns="_near")


def answer_of(scores: pd.DataFrame) -> tuple[str, str]:
    """Return kind and reason of the answer that a table of scores holds."""
    codes = scores[ANSWER].dropna() if ANSWER in scores else ()
    kind, _, why = str(next(iter(codes), OWN)).partition(":")
    return kind, why
