"""From one block's log to the table ``procedure``: every step between a confirmed visit and the register.

A confirmed household is published in its village; publicity lasts until the office's month of approval, where
an objection may end it. The dates of the first and the last step are those of the visit and of the register.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from riskmodel.simulate import office
from riskmodel.simulate.history import Block
from riskmodel.simulate.log import columns
from riskmodel.simulate.rows import Clerk, dates, words
from riskmodel.simulate.state import Ints

# Month and household to the day of something that befell them, as days since 1970.
Days = dict[tuple[int, int], int]
STEPS = ("入户核查", "公示开始", "公示期满", "公示异议", "县级审定")
VISIT, BEGUN, OVER, OBJECTION, APPROVED = range(5)


def procedure_rows(clerk: Clerk, block: Block, confirmed: Days, entered: Days) -> pa.Table:
    """Return the rows of ``procedure``.

    Parameters
    ----------
    clerk : Clerk
    block : Block
    confirmed : dict
        Days of the visits that confirmed.
    entered : dict
        Days of the register's entries.

    Returns
    -------
    pa.Table
        ``household_id, step, date, recorded_on``; a household that is published when the records end has no
        last step, nor has one of which nobody was left.
    """
    begun = np.array([(house, month, day) for (month, house), day in confirmed.items()], dtype=np.int64)
    begun = begun.reshape(-1, 3)
    over, household, ended = columns(block.log.publicity, 3)
    passed, objected = ended == office.PASSED, ended == office.OBJECTED
    keys = zip(over[passed].tolist(), household[passed].tolist(), strict=True)
    approved = np.array([entered[key] for key in keys], dtype=np.int64)
    parts = [
        (VISIT, begun[:, 0], begun[:, 2]),
        (BEGUN, begun[:, 0], begun[:, 2] + clerk.rng.integers(1, 4, len(begun))),
        (OVER, household[passed], approved - clerk.rng.integers(2, 5, approved.size)),
        (OBJECTION, household[objected], clerk.day(over[objected], 6, 13)),
        (APPROVED, household[passed], approved),
    ]
    step = np.concatenate([np.full(who.size, k) for k, who, _ in parts])
    who, day = (np.concatenate([part[i] for part in parts]) for i in (1, 2))
    table = pa.table(
        {
            "household_id": clerk.ids(_ints(who)),
            "step": words(step, STEPS),
            "date": dates(day),
            "recorded_on": dates(day + clerk.late(day.size, 3, 0.5)),
        }
    )
    return clerk.known(table).sort_by([(name, "ascending") for name in ("household_id", "date", "step")])


def _ints(values: Ints) -> Ints:
    return np.asarray(values, dtype=np.int64)
