"""The budget of visits, and what a score finds within it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from riskmodel.errors import SpecError
from riskmodel.evaluation.lists import list_kernel, list_measures, random_find, rank, tie_bounds

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Budget:
    """Visits at each as-of date: a number of them, or a share of the households.

    Exactly one of the two is given.

    Parameters
    ----------
    visits : int, optional
        At least 1.
    share : float, optional
        In (0, 1].

    Raises
    ------
    SpecError
        If both or neither are given, or one is out of range.

    Examples
    --------
    >>> Budget(share=0.05).at(90), Budget(visits=500).at(90)
    (5, 90)
    """

    visits: int | None = None
    share: float | None = None

    def __post_init__(self) -> None:
        if (self.visits is None) == (self.share is None):
            raise SpecError(f"budget {self}: give visits (a number) or share (of households), and one only")
        if self.visits is not None and (int(self.visits) != self.visits or self.visits < 1):
            raise SpecError(f"budget: visits is {self.visits!r}; it must be a whole number of at least 1")
        if self.share is not None and not 0 < self.share <= 1:
            raise SpecError(f"budget: share is {self.share!r}; it must be in (0, 1]")

    @classmethod
    def of(cls, given: Budget | Mapping[str, Any]) -> Budget:
        """Take a budget, or a mapping with its one key.

        Parameters
        ----------
        given : Budget or mapping

        Returns
        -------
        Budget

        Raises
        ------
        SpecError
            If the mapping has another key.
        """
        if isinstance(given, Budget):
            return given
        unknown = sorted(set(given) - {"visits", "share"})
        if unknown:
            raise SpecError(f"budget: unknown key {', '.join(unknown)}; allowed: visits, share")
        return cls(**given)

    def at(self, households: int) -> int:
        """Visits where there are so many households: the share rounded half up, at least 1, at most all.

        Parameters
        ----------
        households : int

        Returns
        -------
        int
        """
        wanted = (
            self.visits if self.visits is not None else int(np.floor((self.share or 0) * households + 0.5))
        )
        return min(households, max(1, int(wanted)))


def quotas(date: Codes, budget: Budget) -> Codes:
    """Visits at each date.

    Parameters
    ----------
    date : integer array of shape (n,)
    budget : Budget

    Returns
    -------
    integer array of shape (dates,)
    """
    return np.array([budget.at(int(n)) for n in np.bincount(date)], dtype=np.int64)


def at_budget(
    y: ArrayLike, score: ArrayLike, budget: Budget | Mapping[str, Any], as_of: ArrayLike | None = None
) -> dict[str, float]:
    """Say what the households with the highest scores hold at a budget.

    Parameters
    ----------
    y, score : array of shape (n,)
        In the order of household_id, by which equal scores are resolved.
    budget : Budget or mapping
        Visits at each as-of date.
    as_of : array of shape (n,), optional
        One list a date; default one list.

    Returns
    -------
    dict
        ``visits, hits, hits_worst, hits_best`` (over ties), ``hits_random, hits_random_sd``, ``recall,
        precision, exclusion_error`` = 1 − recall, ``inclusion_error`` = 1 − precision, ``lift``.

    References
    ----------
    Brown, Ravallion and van de Walle 2018 for the two errors.

    Examples
    --------
    >>> at_budget([1, 0, 1, 0], [0.9, 0.5, 0.5, 0.1], {"visits": 2})["hits_best"]
    2.0
    """
    target = np.asarray(y, dtype=float)
    given = np.zeros(len(target)) if as_of is None else np.asarray(as_of)
    date = np.unique(given, return_inverse=True)[1].astype(np.int64)
    ranking, quota = rank(date, -np.asarray(score, dtype=float)), quotas(date, Budget.of(budget))
    found = list_kernel(target, date, ranking, quota)(np.ones((1, len(target))))
    values = {name: float(part[0]) for name, part in list_measures(found).items()}
    worst, best = tie_bounds(target, date, ranking, quota)
    mean, sd = random_find(target, date, quota)
    return {
        "visits": float(found.visits[0]), "hits": float(found.hits[0]),
        "hits_worst": float(worst), "hits_best": float(best),
        "hits_random": mean, "hits_random_sd": sd, **values,
    }  # fmt: skip
