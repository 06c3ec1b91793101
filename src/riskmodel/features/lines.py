"""The line that a feature set measures from: an amount, or relative to the county at each as-of."""

from __future__ import annotations

import ibis.expr.types as ir

from riskmodel.features.declaration import FeatureSet
from riskmodel.rules import RelativeLine, relative_line


def line_of(feature_set: FeatureSet, accounts: ir.Table) -> ir.Table:
    """Return the line at each as-of date.

    Parameters
    ----------
    feature_set : FeatureSet
    accounts : ibis.Table
        From `riskmodel.households.accounts.build`.

    Returns
    -------
    ibis.Table
        ``as_of, line`` (yuan per person and period).
    """
    if isinstance(feature_set.line, RelativeLine):
        return relative_line(accounts.select("as_of", "pcni", "persons", "weight"), feature_set.line)
    return accounts.select("as_of").distinct().mutate(line=feature_set.line)
