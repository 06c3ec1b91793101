"""Visits that a township or village is sure of: so many each, or a share of all by households."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from riskmodel.errors import UsageError

By = Literal["township", "village"]
PLACES = ("township", "village")
NONE = "none"
ALLOWED = "township or village, alone (one visit each), with a number (village:2) or a share (township:50%)"
_FORM = re.compile(r"(township|village)(?::(?:([1-9][0-9]{0,5})|([0-9]{1,3}(?:\.[0-9]{1,4})?)%))?")
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Quota:
    """What each place of a kind is sure of.

    Parameters
    ----------
    place : str
        ``township`` or ``village``.
    each : int
        At least so many visits for each that has as many candidates; 0 where a share is asked for.
    share : float
        Of the planned visits, shared out among the places by their households (largest remainders).
    """

    place: By
    each: int = 1
    share: float = 0.0

    def targets(self, places: NDArray[np.intp], visits: int) -> NDArray[np.intp]:
        """Return how many visits each place is to get.

        Parameters
        ----------
        places : array of int, shape (n,)
            Each household's place, numbered from 0.
        visits : int

        Returns
        -------
        array of int, shape (places,)

        Examples
        --------
        >>> Quota("township", 0, 0.5).targets(np.array([0, 0, 0, 1]), 8).tolist()
        [3, 1]
        """
        size = np.bincount(places)
        if self.each or not len(size):
            return np.full(len(size), self.each, dtype=np.intp)
        exact = round(self.share * visits) * size / size.sum()
        out = np.floor(exact).astype(np.intp)
        left = round(self.share * visits) - int(out.sum())
        out[np.argsort(out - exact, kind="stable")[:left]] += 1
        return out


def parse(given: str | Quota | Iterable[str | Quota] | None) -> tuple[Quota, ...]:
    """Return quotas from how they are written.

    Parameters
    ----------
    given : str, Quota, several of them, or None
        ``none`` among them asks for nothing: it takes back what a month was made with before.

    Returns
    -------
    tuple of Quota
        In the order given: an earlier one is served first.

    Raises
    ------
    UsageError
        If one is not of the form.

    Examples
    --------
    >>> parse(["township:50%", "village"])
    (Quota(place='township', each=0, share=0.5), Quota(place='village', each=1, share=0.0))
    """
    if given is None:
        return ()
    several = [given] if isinstance(given, str | Quota) else list(given)
    return tuple(q if isinstance(q, Quota) else _one(q) for q in several if q != NONE)


def _one(text: str) -> Quota:
    found = _FORM.fullmatch(text.strip())
    if found is None or float(found[3] or 0) > 100:
        raise UsageError(f"quota {text!r} is none; give {ALLOWED}")
    place = cast(By, found[1])
    return Quota(place, 0, float(found[3]) / 100) if found[3] else Quota(place, int(found[2] or 1))


def sure(known: pd.DataFrame, candidates: Rows, visited: Rows, quotas: Sequence[Quota], visits: int) -> Rows:
    """Return the candidates whom quotas give a visit, in the order in which room is to be given.

    Parameters
    ----------
    known : DataFrame
        ``township, village`` of every household that can be judged.
    candidates : array of int
        Rows that may be chosen, best first.
    visited : array of int
        Rows that have a visit already: they count for their places.
    quotas : sequence of Quota
    visits : int
        Planned in all.

    Returns
    -------
    array of int
        Quota after quota; within one every place's first before any place's second, the best first.
    """
    if not len(candidates):
        return candidates
    chosen: list[int] = []
    for quota in quotas:
        codes = numbered(known, quota.place)
        have = np.bincount(codes[np.r_[visited, np.array(chosen, dtype=np.intp)]], minlength=codes.max() + 1)
        need = quota.targets(codes, visits) - have
        left = candidates[~np.isin(candidates, chosen)]
        turn = pd.Series(codes[left]).groupby(codes[left]).cumcount().to_numpy()
        mine = turn < need[codes[left]]
        chosen += left[mine][np.argsort(turn[mine], kind="stable")].tolist()
    return np.array(chosen, dtype=np.intp)


def numbered(known: pd.DataFrame, place: str) -> NDArray[np.intp]:
    """Return each household's place as a number; two townships may each have a village of one name."""
    name = known["township"].astype(str)
    if place == "village":
        name = name + "\x1f" + known["village"].astype(str)
    return np.asarray(pd.factorize(name, sort=True)[0], dtype=np.intp)
