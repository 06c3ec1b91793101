"""A simulated county whose true risks are known: the reference for rules and models.

Real household records cannot be handed out, and their labels are made by the rules that are to be judged.
Here a county lives month by month by a stated process, an office watches it with delays and mistakes, and
many futures of every household give the true chance of each label event.

The process, month by month (`history.advance_households`, then `history.advance_office`)

1. Each January a township's weather and prices are drawn for each kind of farm, and the county's labour
   market; each September the school year begins (`household_events.school_year`).
2. At most one birth, death or marriage befalls a household, or it moves away as a whole (`family_events`).
3. Spells of sickness, joblessness or lost harvests end with a chance that falls with their length; at most
   one new cause strikes, with unseen frailty and scarring (`draw_shocks`).
4. Income by source and production costs follow from members, season, permanent and transitory parts and
   spells (`incomes`).
5. The office flags by a rule that it is handed, visits some, confirms some, registers after publicity,
   supports, lets go, takes back (`office`).

What the office writes down, and when, is `records`; truth is `truth`; all figures stand in
``profiles/*.yaml``; the equations together in ``docs/simulator.md``.

Examples
--------
>>> from riskmodel import simulate
>>> county = simulate.simulate_county(households=60, months=24, seed=1, futures=20)
>>> list(county.truth.columns)[:4]
['household_id', 'as_of', 'horizon_months', 'event']
"""

from __future__ import annotations

from riskmodel.simulate.assembly import (
    LOWER_BOUND,
    TABLES,
    SimulatedCounty,
    simulate_county,
    write_simulated_blocks,
    write_simulated_county,
)
from riskmodel.simulate.data_errors import ErrorProfile, detection_rates, inject_errors, load_error_profile
from riskmodel.simulate.history import SimulationSpec, simulation_spec
from riskmodel.simulate.office import FlagRule
from riskmodel.simulate.office_files import OfficeFiles, office_files
from riskmodel.simulate.parameters import CAUSES, Profile, load_profile, without_recorded
from riskmodel.simulate.rule_register import register_rule
from riskmodel.simulate.state import RuleView
from riskmodel.simulate.validation import (
    VALIDATION_HOUSEHOLDS,
    describe_validation,
    load_targets,
    summarise_validation,
    validate_profile,
)

__all__ = [
    "CAUSES",
    "LOWER_BOUND",
    "TABLES",
    "VALIDATION_HOUSEHOLDS",
    "ErrorProfile",
    "FlagRule",
    "OfficeFiles",
    "Profile",
    "RuleView",
    "SimulatedCounty",
    "SimulationSpec",
    "describe_validation",
    "detection_rates",
    "inject_errors",
    "load_error_profile",
    "load_profile",
    "load_targets",
    "office_files",
    "register_rule",
    "simulate_county",
    "simulation_spec",
    "summarise_validation",
    "validate_profile",
    "without_recorded",
    "write_simulated_blocks",
    "write_simulated_county",
]
