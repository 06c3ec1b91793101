"""An importer that is not whole is refused where it is registered."""

from __future__ import annotations

import dataclasses

import pytest

from riskmodel.data.importers.registry import IMPORTERS, Importer
from riskmodel.errors import SpecError

EXAMPLE = Importer("example", "an example.", lambda file: None, lambda frame: {}, {"income_is_net": True})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": "my panel"}, "panel 'my panel' cannot be registered: the name"),
        ({"title": ""}, "title is empty"),
        ({"read": "file.csv"}, "read must be a function; given the text 'file.csv'"),
        ({"about": None}, r"about must be a mapping \(dict\); given None"),
        ({"about": {"recording_delay_days": "some"}}, "about: recording_delay_days: Input should be a valid"),
        ({"name": "eph"}, "panel 'eph' is registered twice"),
    ],
)
def test_an_importer_that_is_not_whole_is_refused(wrong: dict[str, object], said: str) -> None:
    before = list(IMPORTERS)
    with pytest.raises(SpecError, match=said):
        IMPORTERS.register(dataclasses.replace(EXAMPLE, **wrong))
    assert list(IMPORTERS) == before
