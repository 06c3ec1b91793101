"""Stress: how many fall below the line if a scenario comes true, where, why, and what closing the gap costs.

The scenario goes through the household forecast, not through a model's features: incomes add up, a scenario
speaks of their parts (wages, sales, support), and what a household would lose stands in its own records of
the same months a year ago; a model learnt on features has never seen a year like that and would extrapolate.
Each draw of a household's income is lowered by its loss, which grows and shrinks with the income drawn (who
has lost the job already cannot lose the wage). Reactions (other work, new support, prices) are not modelled:
an answer is what would be missing if nobody did anything.

Assumptions: a worker who lives at home earns a quarter of a migrant's wage (`home_wage`, where a household
has both); where the months that a shock covers are not on record by month, a loss takes its share of the
accounted year; medical cost recurs in the households where it was.

Sums are over the households whose year is on record and of whom it is known what they would lose; the others
are left out of all of them, with and without the scenario, and counted: not knowing is not losing nothing.

Scenarios: what is to befall a county, declared in YAML under ``experiments/scenarios``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import ibis
import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from riskmodel.data import County, codes
from riskmodel.errors import InputMissing, UsageError
from riskmodel.forecasting import household
from riskmodel.forecasting.conformal import MONTH_DAYS
from riskmodel.forecasting.household import DRAWS, LONGEST, Array, HouseholdForecast
from riskmodel.forecasting.warning import scale_risk_headings
from riskmodel.households import (
    PRESENT_MEMBERS,
    add_months,
    calendar_sums,
    known_county,
    last_complete_month,
)
from riskmodel.i18n import Message
from riskmodel.io import Spec, find_declaration, folder, load_spec

FOLDER = "experiments/scenarios"
LARGEST = "largest"
Kind = Literal["wage", "sales", "medical", "disaster", "support"]


class Shock(Spec):
    """One thing that happens from the month after as-of on.

    ``wage`` and ``sales`` lose ``share``; ``disaster`` loses a share of sales between ``loss[0]`` and
    ``loss[1]``; ``support`` loses ``share`` of what running measures pay; ``medical`` reimburses ``points``
    less. ``home_wage`` is what a worker at home earns against a migrant (assumption). ``reach`` is the share
    of the affected households that are hit, at random.
    """

    kind: Kind
    months: int = Field(ge=1, le=12)
    share: float = Field(default=0.0, ge=0, le=1)
    loss: tuple[float, float] = (0.0, 0.0)
    points: float = Field(default=0.0, ge=0, lt=1)
    reimbursed_now: float = Field(default=0.7, ge=0, lt=1)
    who: Literal["all", "migrants"] = "all"
    home_wage: float = Field(default=0.25, ge=0, le=1)
    where: str | None = None
    reach: float = Field(default=1.0, gt=0, le=1)
    cause: str

    @model_validator(mode="after")
    def _fits(self) -> Shock:
        name = {"disaster": "loss", "medical": "points"}.get(self.kind, "share")
        if not np.max(getattr(self, name)) > 0:
            raise ValueError(f"a shock of kind {self.kind} needs {name} above 0")
        if not 0 <= self.loss[0] <= self.loss[1] <= 1:
            raise ValueError("loss: write [lowest, highest], both from 0 to 1")
        known = codes("risk_events", "cause")
        if self.cause not in known:
            raise ValueError(f"cause {self.cause!r}: one of {', '.join(known)}")
        if self.kind == "medical" and self.reimbursed_now < self.points:
            raise ValueError("reimbursed_now must be at least points")
        return self


class Scenario(Spec):
    """One scenario; ``risk`` is its heading in the office's list of scale risks."""

    version: Literal[1]
    id: str
    name_zh: str
    name_en: str
    risk: str
    shocks: tuple[Shock, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _known_risk(self) -> Scenario:
        if self.risk not in scale_risk_headings():
            raise ValueError(f"risk {self.risk!r}: one of {', '.join(scale_risk_headings())}")
        return self


def read_scenario(name: str | Path) -> Scenario:
    """Read a scenario by id or path.

    Parameters
    ----------
    name
        Such as ``wages-down``, or a path to a ``.yaml`` file.

    Returns
    -------
    Scenario
        The shocks that happen together.

    Raises
    ------
    UsageError
        If there is none; the message lists those there are.
    SpecError
        If the file does not fit.

    Examples
    --------
    >>> read_scenario("wages-down").shocks[0].share
    0.3
    """
    return load_spec(find_declaration(name, folder(FOLDER), "scenario"), Scenario)


def available_scenarios() -> list[str]:
    """Return the ids of the declared scenarios."""
    return sorted(p.stem for p in folder(FOLDER).glob("*.yaml"))


MAX_SCALE = 2.0
WORKING = ("full", "partial")


@dataclass(frozen=True)
class Loss:
    """What one shock takes of each household (n,), yuan a head; by lot (``reach``), between two ends."""

    low: Array
    high: Array
    reach: float
    cause: str
    scaled: bool

    @property
    def mean(self) -> Array:
        """Expected loss, yuan a head."""
        return self.reach * (self.low + self.high) / 2

    def draw(self, ratio: Array, rng: np.random.Generator) -> Array:
        """Draw losses for incomes that are ``ratio`` times as high as last year's, shape (n, draws)."""
        amount = self.low[:, None]
        if (self.high > self.low).any():
            amount = amount + (self.high - self.low)[:, None] * rng.random(ratio.shape)
        if self.reach < 1:
            amount = amount * (rng.random(ratio.shape) < self.reach)
        return amount * ratio if self.scaled else np.broadcast_to(amount, ratio.shape)


@dataclass(frozen=True)
class Stress:
    """Result of a stress test.

    Parameters
    ----------
    scenario
        What was assumed to happen.
    as_of
        Day up to which rows are known; shocks begin the month after.
    horizon
        Months ahead.
    table
        ``what`` (``baseline``, ``stressed``, ``extra``), ``township, cause, measure, mean, low_80, …``: below
        the line without and with the scenario (by the office's main cause), and who falls because of it (by
        the scenario's cause); households, persons, yuan to close the gap for a year.
    losses
        ``household_id, township, cause, loss`` (expected yuan a head) of households that lose something.
    notes
        What was assumed or could not be done as usual.
    left_out
        Households that are in no sum, because their year, or what they would lose, is not on record.
    """

    scenario: Scenario
    as_of: dt.date
    horizon: int
    table: pd.DataFrame
    losses: pd.DataFrame
    notes: tuple[Message, ...]
    left_out: int = 0


def stress_test(
    county: County,
    forecast: HouseholdForecast,
    scenario: Scenario | str | Path,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Stress:
    """Apply a scenario to a county's household forecast.

    Parameters
    ----------
    county
        The county that was forecast.
    forecast
        From `forecast_households`, with a horizon of 12 months.
    scenario
        An id of ``experiments/scenarios``, the path of a ``.yaml`` file, or a scenario.
    draws
        Draws of the joint distribution; the error of a count falls with their square root.
    seed
        The same draws are used with and without the scenario.

    Returns
    -------
    Stress
        Households and persons below the line and yuan a year to close the gap, with and without the scenario,
        by township and cause, of those on record.

    Raises
    ------
    UsageError
        If the forecast lacks twelve months, a table that a shock needs is absent, or a township unknown.
    """
    scenario = scenario if isinstance(scenario, Scenario) else read_scenario(scenario)
    if LONGEST not in forecast.lines:
        raise UsageError(f"stress needs the forecast {LONGEST} months ahead; it has {sorted(forecast.lines)}")
    losses = [_LOSSES[shock.kind](county, forecast, shock) for shock in scenario.shocks]
    line = forecast.lines[LONGEST]
    means = np.stack([each.mean for each in losses])
    lost_known = ~np.isnan(means).any(axis=0)
    counted = forecast.on_record & lost_known
    worst = np.argmax(np.nan_to_num(means), axis=0)
    cause = pd.Series(np.array([each.cause for each in losses])[worst])
    by = household.household_groups(forecast, rows=counted)
    extra_by = household.household_groups(forecast, cause, counted)
    last = forecast.standing["pcni"].to_numpy(dtype=float)[:, None]
    rng = np.random.default_rng([seed, len(losses)])
    totals: dict[str, list[Array]] = {"baseline": [], "stressed": [], "extra": []}
    for income in household.draw_incomes(forecast, LONGEST, draws, seed):
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(last > 0, np.clip(income / last, 0, MAX_SCALE), 1.0)
        lost = sum(each.draw(ratio, rng) for each in losses)
        after = income - lost
        totals["baseline"].append(household.newly_below(income, line, by))
        totals["stressed"].append(household.newly_below(after, line, by))
        # Who is below the line because of the scenario, and the yuan by which all gaps widen.
        before, later = (household.newly_below(y, line, extra_by) for y in (income, after))
        totals["extra"].append(later - before)
    parts = [
        household.summarise_totals(np.concatenate(t, axis=2), extra_by if what == "extra" else by).assign(
            what=what
        )
        for what, t in totals.items()
    ]
    table = pd.concat(parts, ignore_index=True)
    notes = forecast.notes
    if unknown := int((forecast.on_record & ~lost_known).sum()):
        notes = (*notes, Message("forecast.messages.loss_unknown", {"n": unknown}))
    lost_by = _losses(forecast, losses, cause)
    return Stress(scenario, forecast.as_of, LONGEST, table, lost_by, notes, left_out=int((~counted).sum()))


def _losses(forecast: HouseholdForecast, losses: list[Loss], cause: pd.Series) -> pd.DataFrame:
    loss = np.sum([each.mean for each in losses], axis=0)
    out = forecast.standing[["household_id", "township"]].assign(cause=cause.to_numpy(), loss=loss)
    return out[out["loss"] > 0].reset_index(drop=True)


def _flows(county: County, forecast: HouseholdForecast, months: int) -> pd.DataFrame:
    """Return last year's amounts of the calendar months that a shock covers, in the order of the forecast.

    Of whom these months are not on record by month, theirs is the accounted year's share; null without one.
    """
    known = known_county(county, forecast.as_of)
    columns = ["income_wage", "income_business", "spending_medical"]
    ids = forecast.standing["household_id"]
    t = known.accounts().select("household_id", "income_basis", *columns).to_pandas()
    year = t.set_index("household_id").reindex(ids)
    end = last_complete_month(forecast.as_of) + months - LONGEST
    by_month = calendar_sums(known, end, months)[columns].reindex(ids)
    by_month = by_month.where(~year["income_basis"].eq("total"))
    return by_month.fillna(year[columns].astype(float) * (months / LONGEST))


def _persons(forecast: HouseholdForecast) -> Array:
    return forecast.standing["persons"].to_numpy(dtype=float)


def _wage(county: County, forecast: HouseholdForecast, shock: Shock) -> Loss:
    amount = _flows(county, forecast, shock.months)["income_wage"].to_numpy()
    if shock.who == "migrants":
        ids = forecast.standing["household_id"]
        amount = amount * _migrant_share(county, forecast.as_of, ids, shock.home_wage)
    return _fixed(forecast, shock, shock.share * amount)


def _sales(county: County, forecast: HouseholdForecast, shock: Shock) -> Loss:
    return _fixed(
        forecast, shock, shock.share * _flows(county, forecast, shock.months)["income_business"].to_numpy()
    )


def _fixed(forecast: HouseholdForecast, shock: Shock, yuan: Array, *, scaled: bool = True) -> Loss:
    loss = _of_affected(forecast, shock, yuan / _persons(forecast))
    return Loss(loss, loss, shock.reach, shock.cause, scaled)


def _disaster(county: County, forecast: HouseholdForecast, shock: Shock) -> Loss:
    sales = _flows(county, forecast, shock.months)["income_business"].to_numpy() / _persons(forecast)
    sales = _of_affected(forecast, shock, sales)
    return Loss(shock.loss[0] * sales, shock.loss[1] * sales, shock.reach, shock.cause, scaled=True)


def _medical(county: County, forecast: HouseholdForecast, shock: Shock) -> Loss:
    if not county.has("spending"):
        raise UsageError(
            "table spending is absent: without own medical cost this scenario cannot be reckoned"
        )
    own = _flows(county, forecast, shock.months)["spending_medical"].to_numpy()
    now = _reimbursed(county, forecast.as_of, shock.reimbursed_now)
    # Own cost is 1 - r of the whole; ten points less reimbursed are 0.1 / (1 - r) of own cost more.
    return _fixed(forecast, shock, own * min(shock.points, now) / (1 - now), scaled=False)


def _reimbursed(county: County, as_of: dt.date, otherwise: float) -> float:
    """Return the county's share of medical cost that is reimbursed, from ``medical`` where it is there."""
    if not county.has("medical"):
        return otherwise
    t = known_county(county, as_of).rows("medical")
    # A bill of which it is not known what was reimbursed says nothing of the share.
    t = t.filter(t.total.notnull() & t.reimbursed.notnull())
    total, paid = t.total.sum(), t.reimbursed.sum()
    sums = t.agg(total=total.cast("float64"), paid=paid.cast("float64")).to_pandas().iloc[0]
    return (
        float(min(sums["paid"] / sums["total"], 0.95)) if sums["total"] and sums["total"] > 0 else otherwise
    )


def _support(county: County, forecast: HouseholdForecast, shock: Shock) -> Loss:
    """Reckon what running measures paid in the last year, which the forecast carries on."""
    if not county.has("support"):
        raise InputMissing(
            "table support is absent: what support pays is not known, so it cannot be withdrawn"
        )
    t = known_county(county, forecast.as_of).rows("support")
    running = t.filter(
        (t.date <= t.as_of) & (t.end_date.isnull() | (t.end_date > t.as_of)) & t.amount.notnull()
    )
    rows = running.select(
        "household_id", "date", "end_date", amount=running.amount.cast("float64")
    ).to_pandas()
    start, today = pd.to_datetime(rows["date"]), pd.Timestamp(forecast.as_of)
    # An amount without an end is taken as a year's (assumption).
    end = pd.to_datetime(rows["end_date"]).fillna(start + pd.DateOffset(years=1))
    whole = ((end - start).dt.days / MONTH_DAYS).clip(lower=1)
    since = start.clip(lower=pd.Timestamp(add_months(forecast.as_of, -LONGEST)))
    received = ((end.clip(upper=today) - since).dt.days / MONTH_DAYS).clip(lower=0)
    paid = (rows["amount"] * np.minimum(received / whole, 1.0)).groupby(rows["household_id"]).sum()
    yuan = paid.reindex(forecast.standing["household_id"]).fillna(0.0).to_numpy()
    return _fixed(forecast, shock, shock.share * yuan * shock.months / LONGEST, scaled=False)


def _of_affected(forecast: HouseholdForecast, shock: Shock, loss: Array) -> Array:
    """Return what the affected lose, and 0 for the others, whether their own amounts are known or not."""
    return np.where(_affected(forecast, shock) > 0, loss, 0.0)


def _affected(forecast: HouseholdForecast, shock: Shock) -> Array:
    """Return 1 for households in the township that a shock names, else 0; all without a name."""
    township = forecast.standing["township"].astype(str)
    if shock.where is None:
        return np.ones(len(township))
    sizes = township.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    name = str(sizes.index[0]) if shock.where == LARGEST else shock.where
    if name not in sizes.index:
        raise UsageError(f"township {name!r} is not in the county; known: {', '.join(sorted(sizes.index))}")
    return township.eq(name).to_numpy(dtype=float)


def _migrant_share(county: County, as_of: dt.date, ids: pd.Series, home_wage: float) -> Array:
    """Return the share of a household's wages that members earn who do not live there."""
    t = known_county(county, as_of).rows(PRESENT_MEMBERS)
    t = t.filter(t.work_capacity.isin(list(WORKING)).fill_null(False))
    away = (t.resident == ibis.literal(False)).fill_null(False)
    counts = t.group_by("household_id").agg(away=away.cast("int64").sum(), able=t.count()).to_pandas()
    counts = counts.set_index("household_id").reindex(ids).fillna(0.0)
    earning = counts["away"] + home_wage * (counts["able"] - counts["away"])
    return (counts["away"] / earning.where(earning > 0)).fillna(0.0).to_numpy()


_LOSSES: dict[str, Callable[[County, HouseholdForecast, Shock], Loss]] = {
    "wage": _wage,
    "sales": _sales,
    "medical": _medical,
    "disaster": _disaster,
    "support": _support,
}
