"""Parts of pages: data for a script can neither open nor end an element."""

from __future__ import annotations

import pytest

from riskmodel.presentation.page import embedded


def test_embedded_json_is_ascii_safe_where_it_matters() -> None:
    assert embedded(["<&>\u2028"]) == '["\\u003c\\u0026\\u003e\\u2028"]'
    with pytest.raises(ValueError, match="not JSON compliant"):
        embedded([float("nan")])
