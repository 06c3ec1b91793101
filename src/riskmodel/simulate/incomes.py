r"""A month's income and rigid spending of every household.

With migrant-worker equivalents W, home labour L, seasons q, AR(1) transitory parts u and spells ℓ:

.. math::
   wage_t &= e^{a_w + u_{w,t} - d_t} W q^w_m (1-\ell_{sick})(1-\ell_{job}) \\
   sales_t &= e^{a_f + u_{f,t} - d_t + g_{town,kind,year}} L^{\beta} q^f_{kind,m}
              (1-\ell_{sick})(1-\ell_{farm}) \\
   costs_t &= \bar c_i L^{\beta} q^c_{kind,m} + D Y_i (1 - e^{-x_t}) b_t \\
   u_t &= \rho u_{t-1} + \sqrt{1-\rho^2} \sigma z_t, \qquad d_t = \phi d_{t-1} + x_t b_t, \qquad
   x_t = J (1 - v + v e_t)

In other worlds (off by default) wages stand still between changes, what falls take is booked over months,
and households report a part r of wages and sales (`report_anew`); then books, records and labels hold r times
the amounts above.

The shocks z to wages and farm are correlated, and b is rare bad luck whose cause nobody records (wages that
are never paid, a business or a herd lost), of a depth x that varies (e exponential with mean one). It fades
over years, which keeps the poor from rising within months; and a share D of what it takes of a usual year Y
is lost at once, as a loss of the business. So who is above the line now has mostly not fallen yet: what lies
ahead is chance, for whoever knows the present too, and a county is as hard to predict as real panels.
Costs are planned before weather and prices are known, so a bad year can make a loss. Every amount is a
whole yuan.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from riskmodel.simulate.parameters import IncomeShock, ParameterArrays
from riskmodel.simulate.recording_parameters import Misreporting
from riskmodel.simulate.state import FARM, JOB, RING, SICK, Floats, MonthDraws, OfficeState, State

SCHOOL_MONTHS = {9: 0.6, 3: 0.4}
SUBSIDY_MONTH, RENT_MONTH = 6, 12
QUARTER = 3
BILLED_AT_ONCE = 0.45
MOST_LUCK = 0.5  # a month: keeps a household from falling every month
LEAST_UNIFORM = 1e-6  # keeps the depth of a fall finite


@dataclass(frozen=True)
class Flow:
    """One month's amounts in whole yuan, each (n,): income by source, production costs, rigid spending."""

    wage: Floats
    business: Floats
    transfer: Floats
    rent: Floats
    production: Floats
    medical: Floats
    education: Floats
    events: Floats

    @property
    def net(self) -> Floats:
        """All income less production costs."""
        return self.wage + self.business + self.transfer + self.rent - self.production


def drift(s: State, z: MonthDraws, t: ParameterArrays) -> None:
    """Move the transitory parts of wages and farm sales, and what is left of falls, on by one month."""
    inc = t.profile.income
    growth = np.float32(inc.growth / 12)
    s.a_wage += growth
    s.a_farm += growth
    both = np.float32(inc.shared)
    z_farm = both * z.z_wage + np.sqrt(1 - both**2) * z.z_farm
    stood = s.u_wage.copy() if inc.wage.steps_yearly else None
    for u, noise, part in ((s.u_wage, z.z_wage, inc.wage), (s.u_farm, z_farm, inc.farm)):
        rho = part.persistence
        u *= np.float32(rho)
        u += noise * np.float32(part.sd * (1 - rho**2) ** 0.5)
    if stood is not None:
        stands = z.few(s.n) >= np.float32(inc.wage.steps_yearly / 12)
        np.copyto(s.u_wage, stood, where=stands)
    _income_falls(s, z, inc.bad_luck)


def _income_falls(s: State, z: MonthDraws, shock: IncomeShock) -> None:
    s.fallen *= np.float32(shock.fade)
    chance = np.float32(shock.yearly / 12) * (1 + np.float32(shock.again / max(shock.size, 1e-6)) * s.fallen)
    chance = np.minimum(chance, np.float32(MOST_LUCK))
    s.debt[:] = 0
    rows = np.flatnonzero(z.u_luck < chance)
    # Given that it fell, where in its chance the draw lies is uniform anew: it tells how deep.
    depth = fall_depth(z.u_luck[rows] / chance[rows], shock)
    s.fallen[rows] += depth
    s.debt[rows] = np.rint(np.float32(shock.debt) * s.usual[rows] * -np.expm1(-depth))
    if shock.booked < 1:
        s.owed += s.debt
        s.debt[:] = np.rint(np.float32(shock.booked) * s.owed)
        s.owed -= s.debt


def fall_depth(u: Floats, shock: IncomeShock) -> Floats:
    """Return how deep falls are, in log points, of mean ``shock.size``."""
    varies = -np.log(np.maximum(u, np.float32(LEAST_UNIFORM)))
    return np.asarray(shock.size * (1 - shock.spread + shock.spread * varies), dtype=np.float32)


def _wage(s: State, z: MonthDraws, m: int, t: ParameterArrays, well: Floats) -> Floats:
    wage = np.exp(s.a_wage + s.u_wage - s.fallen)
    wage *= s.wage_units * t.wage_season[m]
    wage *= well * (1 - s.loss[JOB])
    if m == 1:
        # Home for the Spring Festival: some have no wage at all in that month.
        wage *= z.u_misc >= np.float32(t.profile.income.wage.spring_gap)
    return np.rint(wage, out=wage)


def _business(s: State, m: int, t: ParameterArrays, well: Floats) -> Floats:
    share = t.sales[:, m]
    if not share.any():
        return np.zeros(s.n, dtype=np.float32)
    sales = np.exp(s.a_farm + s.u_farm - s.fallen + s.weather)
    sales *= share[s.kind]
    sales *= s.farm_units * well
    sales *= 1 - s.loss[FARM]
    return np.rint(sales, out=sales)


def _production(s: State, m: int, t: ParameterArrays) -> Floats:
    share = t.costs[:, m]
    if not share.any():
        return np.zeros(s.n, dtype=np.float32)
    return np.rint(s.plan * s.farm_units * share[s.kind])


def _transfer(s: State, m: int, t: ParameterArrays) -> Floats:
    p = t.profile.income.transfer
    elders_only = (s.elders > 0) & (s.wage_units <= 0)
    kin = s.kin * (np.float32(p.kin) + np.float32(p.kin_elders) * elders_only) * s.persons
    out = np.rint(kin) + np.rint(s.elders * np.float32(p.pension)) + s.dibao * (s.persons > 0)
    if m + 1 == SUBSIDY_MONTH:
        out += np.float32(p.subsidy) * s.persons
    return out


def _medical(s: State, z: MonthDraws, m: int, t: ParameterArrays) -> Floats:
    due = np.rint(s.bill * np.float32(BILLED_AT_ONCE))
    s.bill -= due
    s.bill[s.bill < 50] = 0
    if (m + 1) % QUARTER == 0:
        p = t.profile.income.medical
        usual = (
            s.persons * np.float32(p.person)
            + s.elders * np.float32(p.elder)
            + s.chronic * np.float32(p.chronic)
        )
        # A Pareto tail with mean one: most quarters are cheap, some are not.
        tail = np.float32(1 - p.tail) * (1 - z.u_misc) ** np.float32(-p.tail)
        due += np.rint(QUARTER * usual * tail)
    return np.where(s.insured, due, np.rint(2 * due))


def draw_reported_share(u: Floats, mode: Misreporting) -> Floats:
    """Return which part of wages and sales households report, from uniform draws.

    Examples
    --------
    >>> mode = Misreporting(share=0.5, reported=(0.6, 0.8), anew=0.1)
    >>> draw_reported_share(np.array([0.25, 0.75]), mode).astype(str).tolist()
    ['0.7', '1.0']
    """
    low, high = mode.reported
    part = low + (high - low) * u / max(mode.share, LEAST_UNIFORM)
    return np.where(u < mode.share, part, 1).astype(np.float32)


def report_anew(s: State, z: MonthDraws, mode: Misreporting) -> None:
    """Let some households change what they report."""
    rows = np.flatnonzero(z.few(s.n) < mode.anew)
    s.reported[rows] = draw_reported_share(z.few(rows.size), mode)


def _as_reported(amount: Floats, s: State, mode: Misreporting | None) -> Floats:
    if mode is None:
        return amount
    unit = np.float32(max(mode.rounded, 1))
    return np.rint(amount * s.reported / unit) * unit


def month_flow(s: State, z: MonthDraws, paid: Floats, month: int, t: ParameterArrays) -> Flow:
    """Work out one month's amounts, as they are reported."""
    m = month % 12
    mode = t.profile.recording.misreporting
    well = 1 - s.loss[SICK]
    school = SCHOOL_MONTHS.get(m + 1, 0.0)
    zeros = np.zeros(s.n, dtype=np.float32)
    return Flow(
        wage=_as_reported(_wage(s, z, m, t, well), s, mode),
        business=_as_reported(_business(s, m, t, well), s, mode),
        transfer=_transfer(s, m, t),
        rent=np.rint(s.rent * (s.persons > 0) * (np.float32(0.7) + np.float32(0.6) * z.u_misc))
        if m + 1 == RENT_MONTH
        else zeros,
        production=_production(s, m, t) + s.debt * (s.persons > 0),
        medical=_medical(s, z, m, t),
        education=np.rint(s.school_cost * np.float32(school)) if school else zeros,
        events=paid,
    )


@dataclass(frozen=True)
class MonthAccounts:
    """What support made of a month: ``aid`` paid, own ``medical`` and ``education`` costs left, each (n,)."""

    aid: Floats
    medical: Floats
    education: Floats


def account(b: OfficeState, s: State, flow: Flow, month: int) -> MonthAccounts:
    """Enter a month into the rings and their running sums, support included."""
    aid = b.aid * (s.persons > 0)
    net = flow.net + aid
    now, year_ago = month % RING, (month - 12) % RING
    b.net_before += b.net_ring[year_ago] - b.net_ring[now]
    b.net += net - b.net_ring[year_ago]
    b.net_ring[now] = net
    own = 1 - b.aid_cover
    medical, education = np.rint(flow.medical * own), np.rint(flow.education * own)
    rigid = medical + education + flow.events
    b.rigid += rigid - b.rigid_ring[month % 12]
    b.rigid_ring[month % 12] = rigid
    b.persons_ring[month % 13] = s.persons
    return MonthAccounts(aid, medical, education)
