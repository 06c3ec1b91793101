"""The family of office tables: every declared table and the function that makes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd

from riskmodel.register import county_tables, register_tables
from riskmodel.register.office import Office, declared

MAKERS: Mapping[str, Callable[[Office], pd.DataFrame]] = {
    "causes": register_tables.causes,
    "dynamic": register_tables.dynamic,
    "natural": register_tables.natural,
    "measures": register_tables.measures,
    "single_cause": register_tables.single_cause,
    "bands": county_tables.bands,
    "workload": county_tables.workload,
}


def make(office: Office) -> dict[str, pd.DataFrame]:
    """Make every declared table whose data are there.

    Parameters
    ----------
    office : Office

    Returns
    -------
    dict
        Table id to its frame; tables that need what the county lacks are left out.
    """
    has = office.county.has
    return {
        name: MAKERS[name](office) for name, spec in declared().tables.items() if all(map(has, spec.needs))
    }
