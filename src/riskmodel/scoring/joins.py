"""Joins by household number say how many met; leading zeros that a spreadsheet dropped are found out."""

from __future__ import annotations

from collections.abc import Iterable

from riskmodel.errors import InputRefused


def dropped_zeros(ids: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Return numbers that are not known, each with the one known number that it is without leading zeros.

    Examples
    --------
    >>> dropped_zeros(["3", "000002", "9"], ["000002", "000003"])
    {'3': '000003'}
    """
    whole = set(known)
    short: dict[str, list[str]] = {}
    for number in whole:
        if number.startswith("0") and number.isdigit():
            short.setdefault(number.lstrip("0"), []).append(number)
    lost = [i for i in dict.fromkeys(ids) if i not in whole]
    return {i: short[i][0] for i in lost if len(short.get(i, ())) == 1}


def count_unmet(ids: Iterable[str], known: Iterable[str]) -> int:
    """Return how many households of the scores the county does not know.

    Raises
    ------
    InputRefused
        If none is known, or a spreadsheet dropped the zeros of some: of these households nothing would be
        known of register, card and last visit, in silence.
    """
    own, whole = list(dict.fromkeys(ids)), set(known)
    unmet = [i for i in own if i not in whole]
    met, lost = len(own) - len(unmet), dropped_zeros(unmet, whole)
    if lost:
        first, padded = next(iter(lost.items()))
        raise InputRefused(
            f"{met} of {len(own)} household numbers of the scores are in the data: a spreadsheet dropped the "
            f"leading zeros of {len(lost)} ({first} for {padded}); score again, or give the file as it was "
            "written"
        )
    if own and not met:
        raise InputRefused(
            f"0 of {len(own)} household numbers of the scores are in the data ({own[0]} is not); give the "
            "data that were scored, with --pseudonymise where they were keyed"
        )
    return len(unmet)
