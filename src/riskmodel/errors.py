"""The errors that riskmodel raises on purpose: each names the bad value, what is allowed, and the mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RiskmodelError(Exception):
    """Base of every error that this package raises on purpose."""


class SpecError(RiskmodelError):
    """A declaration (YAML) is wrong: the message names file, key and the allowed values."""


class InputRefused(RiskmodelError):
    """The data cannot be used: a required table or column is missing, unreadable or mostly rejected."""


class UsageError(RiskmodelError):
    """A call that makes no sense as typed (an unknown id, a date that is none)."""


class InputMissing(InputRefused, UsageError):
    """What a call names is not there or cannot be opened: a file, a folder to write to, a run."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that was probably meant.

    Examples
    --------
    >>> nearest("snapshoton", ["snapshot_on", "source"])
    'snapshot_on'
    """
    return next(iter(difflib.get_close_matches(name, list(known), n=1)), None)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the part of a message that asks for the likeliest name, empty where none is close.

    Examples
    --------
    >>> did_you_mean("nationl-2021", ["national-2021", "county-2020"])
    '; did you mean national-2021?'
    """
    near = nearest(name, known)
    return f"; did you mean {near}?" if near else ""
