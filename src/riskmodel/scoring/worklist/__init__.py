"""Whom to visit, in what order and why: the list and its random share."""

from __future__ import annotations

from riskmodel.scoring.worklist.select import Worklist, build

__all__ = ["Worklist", "build"]
