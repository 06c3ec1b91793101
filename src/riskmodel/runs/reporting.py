"""What reporting guidelines ask of a validation, filled from the run where it can answer; gaps are named."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.io import read_yaml

_ITEMS = Path(__file__).with_name("reporting.yaml")
CLUSTERED = "tripod_cluster"


def guideline_evidence(facts: Mapping[str, Any]) -> pd.DataFrame:
    """Fill every item of TRIPOD+AI, TRIPOD-Cluster and PROBAST that a run can answer.

    Parameters
    ----------
    facts
        From `riskmodel.runs.validation_facts`.

    Returns
    -------
    DataFrame
        A row an item: ``guideline, item, topic, evidence`` (empty where it is a gap), ``gap``, and
        ``judgement``, which is a person's and always empty. Items on clusters stand only where there are
        several counties.
    """
    rows = []
    for guideline, items in read_yaml(_ITEMS).items():
        if guideline == CLUSTERED and facts["counties"] < 2:
            continue
        for one in items:
            evidence = str(one.get("evidence", "")).format(**facts)
            rows.append({
                "guideline": guideline, "item": one["item"], "topic": one["topic"], "evidence": evidence,
                "gap": not evidence.strip(), "judgement": "",
            })  # fmt: skip
    return pd.DataFrame(rows)
