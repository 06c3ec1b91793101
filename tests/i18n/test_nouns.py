"""Pages of panels speak of what the panel counts."""

from __future__ import annotations

import re

import pytest

from riskmodel.errors import UsageError
from riskmodel.i18n import Nouns, nouns_of, section
from riskmodel.i18n.catalogue import entries


def test_only_visible_text_is_put_into_other_words() -> None:
    page = (
        "<style>.households{}</style><script>var households='village';</script>"
        '<p id="village" title="households">Households of 3 villages; household_id; 5 个村的农户</p>'
    )
    found = Nouns("person", "cluster").page(page)
    assert found == page.replace("Households of 3 villages", "Persons of 3 clusters").replace(
        "5 个村的农户", "5 个群组的个人"
    )


def test_a_county_s_own_words_stay_as_they_are() -> None:
    assert Nouns().page("<p>households</p>") == "<p>households</p>"
    assert nouns_of({}) == Nouns()
    assert nouns_of({"unit_of": "person", "place": "person"}) == Nouns("person", "person")


def test_every_unit_and_place_has_every_word() -> None:
    for kind in ("unit", "place"):
        words = section(f"nouns.{kind}")
        assert len({frozenset(one) for one in words.values()}) == 1
    with pytest.raises(UsageError, match="no words for place 'shoe'; there are: village, cluster"):
        Nouns(place="shoe").spoken("a village")


def test_parts_of_the_catalogue_are_put_into_other_words() -> None:
    words = {"a": {"zh": "户编号", "en": "Villages"}, "b": ["households"]}
    assert Nouns("person", "dwelling").words(words) == {
        "a": {"zh": "编号", "en": "Dwellings"}, "b": ["persons"],
    }  # fmt: skip


PAGES = ("report", "rules_page", "rules", "runs", "worklist", "forecast", "register", "evaluation", "models",
         "monitoring", "monitor_page", "common", "features")  # fmt: skip


@pytest.mark.parametrize("subject", PAGES)
def test_no_phrase_of_the_pages_keeps_a_county_s_words(subject: str) -> None:
    # What every page of a panel of persons in clusters can say, after it is put into the panel's words.
    spoken = [
        Nouns("person", "cluster").spoken(phrase[lang])
        for _, phrase in entries(section(subject), subject)
        for lang in ("zh", "en")
    ]
    left = [
        s for s in spoken if re.search(r"\b(?:households?|villages?)\b|(?<!农)村|户(?!籍)", s, re.IGNORECASE)
    ]
    assert left == []
