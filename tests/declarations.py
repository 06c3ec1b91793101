"""Declarations that tests share."""

from pathlib import Path

from riskmodel.runs import Experiment, load_experiment

# The county's question with a plain model: for tests of the way, not of the model.
PLAIN_COUNTY = Path(__file__).parents[1] / "experiments" / "county-levels.yaml"


def plain_county() -> Experiment:
    """Return the county's question with a plain model, under the county's name."""
    # A county of a test is too small for the gate, which has tests of its own.
    return load_experiment(PLAIN_COUNTY).model_copy(update={"id": "county", "gate": None})
