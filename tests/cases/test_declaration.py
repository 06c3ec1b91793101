"""What is declared of cases: every name is known, every variant leads from a clue to a decision."""

from __future__ import annotations

import pytest

from riskmodel.cases import declared, load_procedure, state
from riskmodel.errors import UsageError
from riskmodel.rule_files import available_rule_sets

SETS = sorted(set(declared().variants) - {"default"})


def test_variants_are_those_of_rule_sets_that_exist() -> None:
    assert set(SETS) <= set(available_rule_sets())
    # A relative line comes from a panel: no office works by it.
    assert {s for s in available_rule_sets() if not s.startswith("relative")} == set(SETS)


@pytest.mark.parametrize("ruleset", SETS)
def test_every_name_in_a_move_is_declared(ruleset: str) -> None:
    procedure = load_procedure(ruleset)
    for move in procedure.transitions:
        assert {*move.start, move.to} <= {"start", *procedure.states}
        assert set(move.needs) <= set(declared().needs)
        assert set(move.kinds) <= set(declared().kinds)
        assert set(move.who) <= set(declared().roles) - {"none"}


@pytest.mark.parametrize("ruleset", SETS)
@pytest.mark.parametrize("kind", sorted(declared().kinds))
def test_every_kind_of_case_comes_to_its_decision(ruleset: str, kind: str) -> None:
    procedure = load_procedure(ruleset)
    reached, new = {"start"}, {"start"}
    while new:
        new = {m.to for s in new for m in procedure.moves_from(s, kind)} - reached
        reached |= new
    assert declared().kinds[kind].decision in reached


def test_a_county_without_publicity_or_application_goes_from_the_committee_to_the_township() -> None:
    procedure = load_procedure("county-2020")
    assert not {"applied", "publicised", "objection", "publicity_over"} & set(procedure.states)
    (check,) = list(procedure.moves_to("township_checked", "identify"))
    assert check.start == ("appraised",)
    (proposal,) = procedure.moves_to("proposed", "identify")
    assert "applied" not in proposal.needs
    assert "verified" in proposal.start
    assert "appraised" not in proposal.start


def test_who_decides_and_who_closes_are_parameters() -> None:
    assert load_procedure("county-2020").moves_to("decided", "identify")[0].who == ("county",)
    assert load_procedure("county-2020", decides="township").moves_to("decided", "identify")[0].who == (
        "township",
    )
    closing = load_procedure("county-2020", closes="township")
    assert closing.moves_to("eliminated", "eliminate")[0].who == ("township",)
    assert closing.moves_to("decided", "identify")[0].who == ("county",)
    with pytest.raises(UsageError, match="allowed: county, township"):
        load_procedure("county-2020", decides="province")


def test_only_the_province_variant_files_lifted_households_with_the_province() -> None:
    for ruleset in SETS:
        (close,) = load_procedure(ruleset).moves_to("eliminated", "eliminate")
        assert ("filed_if_lifted" in close.needs) == (ruleset == "anhui-town-2020")


def test_every_refusal_waits_for_its_explanation_and_words_of_the_procedure_are_distinct() -> None:
    refusals = {code for code, s in declared().states.items() if s.refusal}
    assert refusals == {
        "not_confirmed", "not_proposed", "not_appraised", "assessment_failed", "not_approved"
    }  # fmt: skip
    words = [s.word for s in declared().states.values() if s.word]
    assert len(words) == len(set(words))
    assert not set(words) & set(declared().proposal_words)


def test_an_unknown_state_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean publicised"):
        state("publicized")
