"""In which order those go whom the rules name: by what the rules measure, where no forecast speaks.

The model learnt from households above the line and outside the register. Of those it foretells, and among
those its chance orders. A household below the line, or in the register, is not waiting to fall: what it would
be scored is no forecast, and it is ordered by what stands on the list for everyone to check.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

COLOURS = {"red": 0, "yellow": 1, "blue": 2}
# Codes of the column `urgency`, in the order in which they stand on the list.
NEW_BELOW, NEW_ABOVE = "new_below", "new_above"
WATCHED_DUE, WATCHED, CARD = "watched_due", "watched", "card_due"
OTHERS = {"quota": "quota", "model": "chance", "random": "lot"}
BEYOND = "beyond"  # added by the model though it did not learn from such households: below the line, watched


def with_urgency(known: pd.DataFrame) -> pd.DataFrame:
    """Add why each household whom the rules name stands where it stands, and its turn among them.

    First those that the rules flag and the register does not hold yet, for nobody looks after them: below
    the line by how far below, then above it by the chance of falling. Then those in the register, whose
    visit is due before whose is not, by the colour of their card, then as before. Last those whom no rule
    flags and whose red or yellow card asks for a visit.

    Parameters
    ----------
    known : DataFrame
        ``household_id, flagged, card_due, pcni, line, probability, in_cohort``; where known ``in_register``,
        ``card`` and ``visit_due`` (`scoring.worklist.cadence.with_cadence`). Where the register is not
        known everybody counts as new.

    Returns
    -------
    DataFrame
        The frame with ``urgency`` (a code; empty for the others) and ``turn`` (1, 2, …; 0 for the others).
    """
    must = (known["flagged"] | known["card_due"]).to_numpy()
    watched = _told(known, "in_register") & known["flagged"].to_numpy()
    due = watched & _told(known, "visit_due")
    with np.errstate(invalid="ignore", divide="ignore"):
        level = known["pcni"].to_numpy(dtype=float) / known["line"].to_numpy(dtype=float)
    below = level < 1
    foretold = ~below & known["in_cohort"].to_numpy() & ~watched
    code = np.select(
        [~must, ~known["flagged"].to_numpy(), due, watched, below],
        ["", CARD, WATCHED_DUE, WATCHED, NEW_BELOW],
        NEW_ABOVE,
    ).astype(object)
    colour = known["card"].map(COLOURS) if "card" in known else pd.Series(np.nan, known.index)
    chance = np.where(foretold, known["probability"].to_numpy(dtype=float), np.nan)
    keys = pd.DataFrame(
        {
            "group": pd.Series(code).map({WATCHED_DUE: 1, WATCHED: 2, CARD: 3}).fillna(0).to_numpy(),
            # Without a visit to make by card its colour says nothing of a household that is new.
            "colour": np.where(watched | (code == CARD), colour.fillna(3).to_numpy(dtype=float), 0),
            "above": ~below,
            "chance": -np.nan_to_num(chance),
            "level": level,
            "household_id": known["household_id"].astype(str).to_numpy(),
        }
    )
    order = keys[must].sort_values(list(keys.columns)).index.to_numpy()
    turn = np.zeros(len(known), dtype=int)
    turn[order] = np.arange(1, len(order) + 1)
    return known.assign(urgency=code, turn=turn)


def _told(known: pd.DataFrame, column: str) -> np.ndarray:
    if column not in known:
        return np.zeros(len(known), dtype=bool)
    return known[column].eq(True).fillna(False).to_numpy(dtype=bool)
