"""The county's one history: what it books month by month."""

from __future__ import annotations

import numpy as np

from .conftest import initial_county, run_months


def test_running_sums_are_the_sums_of_the_months() -> None:
    # Whole yuan in float32 are exact below 2**24, so the sums must agree to the last yuan.
    s, b, t = initial_county()
    nets = np.array(run_months(s, b, t, 40), dtype=np.float64)
    assert (b.net == nets[-12:].sum(axis=0)).all()
    assert (b.net_before == nets[-24:-12].sum(axis=0)).all()
    assert (nets == np.rint(nets)).all()
