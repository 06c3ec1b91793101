"""What reading says: every sentence of the catalogue is used and can be said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import riskmodel.data
from riskmodel.data.schema import contract
from riskmodel.i18n import Message, section, text

DATA = Path(riskmodel.data.__file__).parent
# The check of heaped incomes says its sentences from a layer above the county.
FILES = [*DATA.rglob("*.py"), *(DATA.parent / "households").rglob("*.py")]
SOURCE = "\n".join(p.read_text(encoding="utf-8") for p in FILES)


def test_every_sentence_is_used():
    said = section("data")
    for key in [*said["reasons"], *said["notices"], *said["quality"]]:
        # A kind of contradictory link completes its sentence's name.
        whole = re.sub(r"^link .*", "link {kind}", key)
        ends = (f'"{key}"', f"'{key}'", f'.{key}"', f".{key}'", f'.{whole}"')
        assert any(end in SOURCE for end in ends) or key in ("heap_below", "heap_above"), key
    assert set(said["without"]) < set(contract().tables)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_sentences_can_be_said(lang):
    for reason in section("data.reasons"):
        assert "{" not in text(f"data.reasons.{reason}", lang, given="x", allowed="y", other=3, n=3, k=2)
    places = dict.fromkeys(("table", "file", "what", "n", "of", "day", "without"), "x")
    for key in section("data.notices"):
        assert "{" not in Message(f"data.notices.{key}", places).text(lang)
    assert "{" not in text("data.quality.refused", lang, what="x")
