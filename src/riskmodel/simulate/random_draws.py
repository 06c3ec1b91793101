"""The chance of one month, drawn apart from what it does, so that two sets of books can share it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from riskmodel.simulate.state import Array, Floats, Ints


@dataclass(frozen=True)
class MonthDraws:
    """Draws of one month, one column a household: standard normals ``z_*`` and uniforms ``u_*`` on [0, 1).

    ``z_weather`` and ``z_macro`` are there in January, ``u_town`` (does a disaster strike the township?) in
    months of disasters: in the county's history households of one township share them; in the futures of
    one household each branch has its own. ``rng`` gives the draws that few columns need (how long, how
    much, who); what the office does must be the same in both books and so is drawn for all.
    """

    rng: np.random.Generator
    z_wage: Floats
    z_farm: Floats
    z_weather: Floats | None
    z_macro: Floats | None
    u_town: Floats | None
    u_shock: Floats
    u_family: Floats
    u_misc: Floats
    u_office: Floats
    u_visit: Floats
    u_outcome: Floats
    u_luck: Floats

    def few(self, n: int, rows: int = 1) -> Array:
        """Draw further uniforms for some columns, shape (rows, n), or (n,) for one row."""
        u = self.rng.random((rows, n), dtype=np.float32)
        return u[0] if rows == 1 else u


@dataclass(frozen=True)
class CommonShocks:
    """What a county's households share in one month: by township and farm kind, and for all."""

    weather: Floats
    macro: float
    disaster: Floats


def common_shocks(rng: np.random.Generator, townships: int, kinds: int) -> CommonShocks:
    """Draw a county's shared chance of one month."""
    return CommonShocks(
        weather=rng.standard_normal((townships, kinds), dtype=np.float32),
        macro=float(rng.standard_normal(dtype=np.float32)),
        disaster=rng.random(townships, dtype=np.float32),
    )


def draw(
    rng: np.random.Generator,
    n: int,
    month: int,
    disasters: tuple[int, ...],
    shared: CommonShocks | None = None,
    township: Ints | None = None,
    kind: Ints | None = None,
) -> MonthDraws:
    """Draw the chance of one month for n columns."""
    january, season = month % 12 == 0, month % 12 + 1 in disasters
    z = rng.standard_normal((2, n), dtype=np.float32)
    u = rng.random((7, n), dtype=np.float32)
    weather: Floats | None = None
    macro: Floats | None = None
    town: Floats | None = None
    if shared is not None and township is not None and kind is not None:
        if january:
            weather = shared.weather[township, kind]
            macro = np.full(n, shared.macro, dtype=np.float32)
        town = shared.disaster[township] if season else None
    else:
        weather, macro = rng.standard_normal((2, n), dtype=np.float32) if january else (None, None)
        town = rng.random(n, dtype=np.float32) if season else None
    return MonthDraws(rng, z[0], z[1], weather, macro, town, *u)
