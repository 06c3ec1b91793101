"""What was known, written by Ibis for the occasion: neither the cache of queries nor the engine's names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ibis

from riskmodel.data import County
from riskmodel.households import HOUSEHOLD_STATES, PRESENT_MEMBERS, point_in_time
from riskmodel.households.point_in_time import Moment


@dataclass(frozen=True)
class Fresh:
    """Stands in for the shape of a known county where a query is written."""

    county: County
    moments: tuple[Moment, ...]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.county, name)  # has, table, facts, about

    def rows(self, name: str) -> ibis.Table:
        if name == HOUSEHOLD_STATES:
            return point_in_time.household_states(self)  # type: ignore[arg-type]
        if name == PRESENT_MEMBERS:
            return point_in_time.present_members(self)  # type: ignore[arg-type]
        clock = ibis.memtable(point_in_time.moment_table(self.moments))
        return point_in_time.known_rows(self.county, name, clock)  # type: ignore[arg-type]
