"""The errors that riskmodel raises on purpose: each names the bad value, what is allowed, and the mend."""

from __future__ import annotations


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
