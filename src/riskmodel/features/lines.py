"""The line that a feature set measures from: an amount, or relative to the county at each as-of."""

from __future__ import annotations

import ibis.expr.types as ir

from riskmodel.rules import RelativeLine, relative_line


def line_of(line: float | RelativeLine, accounts: ir.Table) -> ir.Table:
    """Return the line at each as-of date.

    Parameters
    ----------
    line : float or RelativeLine
        Of a feature set.
    accounts : ibis.Table
        From `riskmodel.households.accounts.build`.

    Returns
    -------
    ibis.Table
        ``as_of, line`` (yuan per person and period).
    """
    if isinstance(line, RelativeLine):
        return relative_line(accounts.select("as_of", "pcni", "persons", "weight"), line)
    return accounts.select("as_of").distinct().mutate(line=line)
