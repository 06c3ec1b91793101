"""Model choice over time, from the predictions of a logged run, and what it comes to in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from riskmodel import models
from riskmodel.evaluation import RULE, Budget, ModelChoice, choose_models, conditions_in_words
from riskmodel.i18n import Message, join, section
from riskmodel.runs.run import Run


def model_choice(run: Run) -> ModelChoice | None:
    """Judge the choice among a run's models over its test dates.

    Parameters
    ----------
    run
        A logged run; its predictions are read.

    Returns
    -------
    ModelChoice
        None where no prediction has a label, or the run lists no rules to stand beside.
    """
    given, predictions = run.declaration["budget"], run.predictions
    return choose_models(
        # A run numbers its households anew; as text they keep their order.
        predictions.assign(household_id=predictions["household_id"].astype(str).str.zfill(9)),
        Budget(visits=given.get("visits"), share=given.get("share")),
        str(run.declaration["champion"]),
        int(run.declaration["horizon"]["months"]),
        models.simple_orders(dict.fromkeys(predictions["model"].astype(str))),
    )


def choice_messages(choice: ModelChoice) -> list[Message]:
    """Say what the choice among models comes to, a sentence a table.

    Parameters
    ----------
    choice
        Of `model_choice`.

    Returns
    -------
    list of Message
        Ways to choose with their regret; steadiness of lists; who is missed and who is visited in vain most
        often; prediction beside more visits; what may be said of effects.
    """
    return [
        _selection_message(choice), *_stability_messages(choice), *_error_messages(choice),
        *_curve_messages(choice), _effect_message(choice),
    ]  # fmt: skip


def _selection_message(choice: ModelChoice) -> Message:
    rows = choice.selection_means
    if rows.empty:
        return _message("one date")
    # Where everything before was known, looking at known outcomes is no other way to choose.
    known = bool(choice.selection["outcomes_known"].all())
    parts = [
        Message("choice.rule mean", {
            "rule": section("choice.rules")[row["rule"]], "recall": row["recall"],
            "regret": 100 * row["regret"], "dates": row["dates"],
        }).both()
        for row in rows.to_dict("records")
        if not (known and str(row["rule"]).endswith("known"))
    ]  # fmt: skip
    key = "selection" if known else "selection unknown"
    return _message(key, dates=int(rows["dates"].max()), rules=join(parts, by="clause"))


def _stability_messages(choice: ModelChoice) -> list[Message]:
    kept = choice.stability.groupby("model", sort=False)[["kept", "jaccard"]].mean()
    if choice.declared == RULE or not {choice.declared, RULE} <= set(kept.dropna().index):
        return []
    own, rules = kept.loc[choice.declared], kept.loc[RULE]
    pairs = int((choice.stability["model"] == RULE).sum())
    return [_message(
        "stability", model=_name(choice), kept=own["kept"], jaccard=own["jaccard"], kept_rules=rules["kept"],
        jaccard_rules=rules["jaccard"], pairs=pairs,
    )]  # fmt: skip


def _error_messages(choice: ModelChoice) -> list[Message]:
    out = []
    for question, rows in choice.errors.groupby("question", sort=False):
        row = rows.iloc[0]  # the highest share
        out.append(_message(
            f"{question} all" if len(rows) == 1 else str(question), model=_name(choice),
            who=conditions_in_words(row["conditions"]), share=row["share"], errors=row["errors"],
            cases=row["cases"], households=row["households"], share_all=row["share_all"],
        ))  # fmt: skip
    return out


def _curve_messages(choice: ModelChoice) -> list[Message]:
    if choice.declared == RULE:
        return []
    rows = {(row["model"], row["factor"]): row for row in choice.visits_curve.to_dict("records")}
    own, doubled = rows[choice.declared, 1.0], rows[RULE, 2.0]
    out = [_message(
        "curve", model=_name(choice), visits=own["visits"], recall=own["recall"],
        recall_rules=own["recall_rules"], visits_rules=own["visits_rules"], doubled=doubled["recall"],
    )]  # fmt: skip
    if choice.simple not in (None, choice.declared):
        simple = rows[choice.simple, 1.0]
        out.append(_message(
            "curve simple", simple=models.model_names(str(choice.simple)), recall=simple["recall"],
            visits_rules=simple["visits_rules"],
        ))  # fmt: skip
    return out


def _effect_message(choice: ModelChoice) -> Message:
    """Say that a risk is no effect, with bounds where support is on record."""
    own = choice.support[choice.support["model"] == choice.declared]
    if own.empty:
        return _message("effect unknown")
    row = own.iloc[0]
    if not row["supported_share_listed"] > 0:
        return _message("effect nobody", supported_all=row["supported_share"])
    return _message(
        "effect", supported=row["supported_share_listed"], supported_all=row["supported_share"],
        precision=row["precision"], low=row["precision_low"], high=row["precision_high"],
    )  # fmt: skip


def _name(choice: ModelChoice) -> Mapping[str, str]:
    return models.model_names(choice.declared)


def _message(key: str, **values: Any) -> Message:
    return Message(f"choice.sentences.{key}", values)
