"""Proof against leaks: a county whose future is another one, and whose known rows are the same.

Whatever is computed for an as-of date must come out the same from `another_future(county, as_of, seed)`:
rows recorded after that date are changed, taken away or joined by new ones, in every table; links between
households, statements of what is on record, spans taken off record and households whose earlier rows had
nobody to belong to are recorded then too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from riskmodel.data import About, County, contract
from riskmodel.data.county import county_of_frames
from riskmodel.households import point_in_time

# Decimals in the tables; frames are handed over with floats.
_AMOUNTS = {"amount", "loss", "income", "total", "reimbursed", "compliant", "self_paid"}
# A change of these would make another row, not another value of the same row.
_KEPT = ("household_id", "member_id", "row_id", "old_id", "new_id", "known_on")


def another_future(county: County, as_of: str, seed: int) -> County:
    """Return a county with the same rows recorded by ``as_of`` and different rows after it.

    Parameters
    ----------
    county : County
    as_of : str
        ISO date.
    seed : int
        Which rows are changed, deleted, added.

    Returns
    -------
    County
        Of the rows recorded later about a third are gone, a third have other values; as many new ones
        stand beside them, among them copies of known rows with other values, recorded the day after:
        late reports and corrections. Coverage rows, links and a household of whom only the other rows were
        known before are added with the day after, too.
    """
    rng = np.random.default_rng(seed)
    day = pd.Timestamp(as_of)
    names = sorted(name for name in county.tables if not contract().tables[name].derived)
    frames = {name: _another(county.frame(name), day, rng) for name in names}
    _add_orphans(frames, day)
    later = (day + pd.Timedelta(days=1)).date()
    for name, rows in _statements(frames["households"]["household_id"].unique(), day, rng).items():
        rows = rows.assign(recorded_on=later)
        frames[name] = pd.concat([frames[name], rows], ignore_index=True) if name in frames else rows
    about = county.about.model_copy(update={"data_through": county.data_through})
    # Unchecked: among the rows of another future are some that no office could write.
    out = county_of_frames(frames, About(**about.model_dump()))
    assert point_in_time.fingerprint(out, as_of) == point_in_time.fingerprint(
        County(con=county.con, tables=county.tables, about=out.about), as_of
    ), "the helper must not touch what was known"
    return out


def _add_orphans(frames: dict[str, pd.DataFrame], day: pd.Timestamp) -> None:
    """Copy a household's known rows under a number whose own row comes the day after."""
    ids = frames["households"]["household_id"]
    if ids.empty:
        return
    one, later = ids.min(), (day + pd.Timedelta(days=1)).date()
    for name, frame in list(frames.items()):
        if "household_id" not in frame or ("member_id" in frame and name != "members"):
            continue
        copy = frame[frame["household_id"] == one].assign(household_id="orphan")
        if "member_id" in copy:
            copy["member_id"] = "orphan-" + copy["member_id"].astype(str)
        if "row_id" in copy:
            copy["row_id"] = ("orphan-" + copy["row_id"].astype(str)).where(copy["row_id"].notna())
        if name == "households":
            copy["recorded_on"] = later
        frames[name] = pd.concat([frame, copy], ignore_index=True)


def _statements(ids: Sequence[str], day: pd.Timestamp, rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    """Return links and coverage rows of some households, about months and days before ``day`` too."""
    some = list(rng.permutation(sorted(ids))[:6])
    this_month = day.year * 12 + day.month - 1
    span = {"month_from": this_month - 17, "month_to": this_month - 1}
    tables = [("income", some[:3]), ("spending", some[:2])]
    recorded = [{"household_id": h, "of": of, **span} for of, households in tables for h in households]
    off = [{"household_id": h, "of": "income", "why": "illegible", **span} for h in some[3:5]]
    kinds = zip(("recode", "merge", "split"), some, strict=False)
    links = [
        {"old_id": old, "new_id": f"new-{old}", "kind": kind, "date": day - pd.Timedelta(days=200)}
        for kind, old in kinds
    ]
    return {
        "recorded": pd.DataFrame(recorded),
        "unrecorded": pd.DataFrame(off, columns=["household_id", "of", "why", *span]),
        "household_links": pd.DataFrame(links, columns=["old_id", "new_id", "kind", "date"]),
    }


def _another(frame: pd.DataFrame, day: pd.Timestamp, rng: np.random.Generator) -> pd.DataFrame:
    frame = frame.sort_values(list(frame.columns), ignore_index=True)
    for column in sorted(_AMOUNTS & set(frame)):
        frame[column] = frame[column].astype("float64")
    on = pd.to_datetime(frame["known_on"])
    known, later = frame[on <= day], frame[on > day]
    fate = rng.integers(0, 3, len(later))
    changed = _other_values(later[fate == 1], frame, rng)
    copies = pd.concat([known, later]).sample(frac=0.3, random_state=int(rng.integers(2**31)))
    added = _other_values(copies, frame, rng)
    added["known_on"] = (day + pd.Timedelta(days=1)).date()
    out = pd.concat([known, later[fate == 0], changed, added], ignore_index=True)
    out = out.rename(columns={"known_on": "recorded_on"})
    return out.sample(frac=1, random_state=int(rng.integers(2**31)), ignore_index=True)


def _other_values(rows: pd.DataFrame, frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Give rows the values of other rows of the table, column by column; amounts grow."""
    out = rows.copy()
    spans = {"month_from", "month_to"} & set(out.columns)
    for column in out.columns:
        if column in _KEPT or column in spans or out.empty:
            continue
        out[column] = frame[column].to_numpy()[rng.integers(0, len(frame), len(out))]
    if spans:
        picked = rng.integers(0, len(frame), len(out))
        for column in sorted(spans):
            out[column] = frame[column].to_numpy()[picked]
        if "amount" in out:
            out["amount"] = out["amount"] * 7 + 1
    return out


def assert_unmoved(compute: Callable[[County], pd.DataFrame], county: County, as_of: str, seed: int) -> None:
    """Assert that what is computed for ``as_of`` does not move with what was recorded after it.

    Parameters
    ----------
    compute : callable
        County to a frame for ``as_of``, in a fixed order of rows.
    county : County
    as_of : str
        ISO date.
    seed : int
    """
    pd.testing.assert_frame_equal(
        compute(county), compute(another_future(county, as_of, seed)), check_exact=True
    )
