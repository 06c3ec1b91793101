"""A small county with a trained model, as an office has them; made once for all tests of the month."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from riskmodel import features, month, simulate, targets
from riskmodel.data import read_county
from riskmodel.households import point_in_time
from riskmodel.month import MonthOptions
from riskmodel.runs import Experiment, training
from tests.declarations import plain_county

AS_OF = "2020-12-31"
VISITS = 20


@dataclass(frozen=True)
class Office:
    data: Path
    store: Path
    run_id: str


def small(**changes: object) -> Experiment:
    """The county's experiment with little of everything: what is tested is the way, not the model."""
    exp = plain_county()
    return exp.model_copy(
        update={
            "models": ("rule", "logit"),
            "bootstrap": 20,
            "feature_set": str(Path(__file__).with_name("small.yaml")),
            "split": exp.split.model_copy(update={"folds": 1}),
            "model_params": {},
            **changes,
        }
    )


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    home = tmp_path_factory.mktemp("office")
    data, store = home / "county", home / "mlflow.db"
    made = simulate.simulate_county(households=560, months=48, seed=5, truth_at=[])
    simulate.write_simulated_county(made, data)
    trained = training.train(small(), read_county(data), store)
    return Office(data, store, trained.run_id)


def make(office: Office, out: Path, data: Path | None = None, **options: object) -> month.Month:
    return month.run_month(
        data or office.data, AS_OF, out, store=office.store, options=MonthOptions(visits=VISITS, **options)
    )


@pytest.fixture(scope="session")
def computed() -> Counter[tuple[str, str]]:
    """How often a month computed what several of its steps use."""
    return Counter()


@pytest.fixture(scope="session")
def whole(
    office: Office, tmp_path_factory: pytest.TempPathFactory, computed: Counter[tuple[str, str]]
) -> Path:
    def count(patch: pytest.MonkeyPatch, owner: Any, name: str, key: Callable[..., str]) -> None:
        real = getattr(owner, name)

        def counted(*given: Any, **named: Any) -> Any:
            computed[name, key(*given, **named)] += 1
            return real(*given, **named)

        patch.setattr(owner, name, counted)

    with pytest.MonkeyPatch.context() as patch:
        by_set = sys.modules["riskmodel.rules.evaluate"]
        # Where incomes are open, a set is also asked at their two bounds.
        count(
            patch,
            by_set,
            "query_verdicts",
            lambda known, case, *_, bound="", **__: f"{case.ruleset.id} {bound or 'known'} {known.moments}",
        )
        count(patch, point_in_time, "_fingerprint", lambda county, day, **_: str(day))
        count(patch, targets, "build_cohorts", lambda known, names, **_: f"{names} {known.moments}")
        count(patch, features, "build_features", lambda known, chosen, **_: f"{chosen.id} {known.moments}")
        return make(office, tmp_path_factory.mktemp("whole")).out
