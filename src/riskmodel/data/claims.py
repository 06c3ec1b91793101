"""What insurances paid (``claims``), kept apart from income so that no sum of it can hold them.

A file gives them as rows of ``income`` with the source ``claim``. Reading moves these into a table of their
own, beside which nothing of ``income`` changes: neither sums nor months on record. A claim that cannot be
read, or that an importer says it could not, stays as a row without an amount: what was paid is then unknown,
not nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from riskmodel.data.off_record import append_rows, exists, lost_rows

CLAIMS = "claims"
CLAIM = "claim"  # the source in ``income``
_SPAN = "household_id, month_from, month_to, row_id, known_on"


def set_claims_apart(con: Any) -> bool:
    """Move claims out of the engine's table ``income``; say whether there are any.

    Parameters
    ----------
    con
        The engine that holds the canonical tables.
    """
    for table, columns, of_claims in (
        ("income", f"{_SPAN}, amount", f"source = '{CLAIM}'"),
        ("unrecorded", _SPAN, f"\"of\" = 'income' AND item = '{CLAIM}'"),
    ):
        if not exists(con, table):
            continue
        if not con.con.execute(f'SELECT count(*) FROM "{table}" WHERE {of_claims}').fetchall()[0][0]:
            continue
        append_rows(con, CLAIMS, pd.DataFrame())
        con.raw_sql(f'INSERT INTO {CLAIMS} BY NAME SELECT {columns} FROM "{table}" WHERE {of_claims}')
        con.raw_sql(f'DELETE FROM "{table}" WHERE {of_claims}')
    return exists(con, CLAIMS)


def lost_claims(parts: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Take claims out of the rows of ``income`` that are kept out.

    Parameters
    ----------
    parts
        What can be read of them, see `riskmodel.data.off_record.rejected_parts`.

    Returns
    -------
    parts
        Those of income itself.
    claims
        Rows of ``claims``, without amounts: those that are lost.
    """
    if not len(parts):
        return parts, pd.DataFrame()
    of_claims = np.asarray(parts["source"] == CLAIM, bool)
    return parts[~of_claims], lost_rows(parts[of_claims])
