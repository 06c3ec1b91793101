"""Declarations that tests share."""

from pathlib import Path

# The county's question with a plain model: for tests of the way, not of the model.
PLAIN_COUNTY = Path(__file__).with_name("plain_county.yaml")
