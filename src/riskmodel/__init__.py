"""Return-to-poverty risk scores beside the official rules.

The names below are what most users need; each is loaded when first asked for, so that importing riskmodel
stays light. The packages that hold them (``rm.rules``, ``rm.features``, …) offer more.

>>> import riskmodel as rm
>>> rm.load_rules("national-2021").flagged_categories
('unstable_lifted', 'marginal', 'sudden_hardship')
"""

import sys
import types
from typing import Any

import lazy_loader

# The names stand once, in __init__.pyi: type checkers and the loader read the same list.
_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    try:
        value = _load(name)
    except AttributeError as exc:
        # With name and object, Python itself asks "Did you mean …?".
        raise AttributeError(str(exc), name=name, obj=sys.modules[__name__]) from exc
    if not isinstance(value, types.FunctionType):
        return value
    from riskmodel.io import check_arguments  # only now: importing riskmodel stays light

    # Kept, so that it is the same function whenever it is asked for.
    globals()[name] = checked = check_arguments(value, __name__)
    return checked
