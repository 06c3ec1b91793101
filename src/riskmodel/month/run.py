"""Running a month: step after step, each skipped where its marker says that it is done."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from riskmodel.errors import InputMissing
from riskmodel.households import DateLike, point_in_time
from riskmodel.month import markers, settings, steps
from riskmodel.month.settings import Settings, Wishes

_LOG = logging.getLogger(__name__)
# In order; a step's files go into the inputs of every later one, so what changes is made anew downstream.
STEPS: Mapping[str, Callable[[steps.Work], steps.Made]] = {
    "check": steps.checked,
    "rules": steps.judged,
    "score": steps.scored,
    "worklist": steps.listed,
    "report": steps.reported,
    "ledger": steps.balanced,
}
# Which earlier steps' files each step reads.
READS: Mapping[str, tuple[str, ...]] = {"worklist": ("score",), "report": ("score", "worklist")}


@dataclass(frozen=True)
class Month:
    """A month as it stands after a run.

    Parameters
    ----------
    out : Path
    settings : Settings
    told : mapping
        Step to its summary.
    done : tuple of str
        Steps that this run had to do; the others stood already.
    named : tuple of Path
        The list and sheets with names, where names were given: no part of the month.
    """

    out: Path
    settings: Settings
    told: Mapping[str, Any]
    done: tuple[str, ...]
    named: tuple[Path, ...] = ()

    @property
    def summary(self) -> dict[str, Any]:
        """What a verb prints."""
        return {
            "out": str(self.out),
            "as_of": self.settings.as_of.isoformat(),
            "model": self.settings.model,
            "done": list(self.done),
            "kept": [name for name in STEPS if name not in self.done],
            **({"with_names": [str(path) for path in self.named]} if self.named else {}),
            **{name: self.told[name] for name in STEPS},
        }


def run(
    data: str | Path,
    as_of: DateLike,
    out: str | Path,
    *,
    store: str | Path,
    wishes: Wishes | None = None,
    names: pd.DataFrame | None = None,
    say: Callable[[str], None] | None = None,
    **reading: Any,
) -> Month:
    """Make a month: check, rules, score, worklist, report, ledger, each once.

    A run that was killed is taken up where it stopped. A month made before is made again with the model
    version and the settings of then, unless others are asked for; as only rows known at as-of count, its
    scores, list, report and ledger come out byte for byte the same, whatever was recorded since.

    Parameters
    ----------
    data : str or Path
        The county.
    as_of : date or ISO text
    out : str or Path
        The folder of all months; this one's is named by its date.
    store : str or Path
        MLflow's SQLite file.
    wishes : Wishes, optional
        What is asked for; the number of visits must be said the first time.
    names : DataFrame, optional
        `riskmodel.scoring.worklist.names.read_names`: list and sheets are written again with them, into
        a folder of their own beside the month's, which holds none.
    say : callable, optional
        Is told what is being done.
    **reading
        ``max_rejected``, ``snapshot_on``, ``pseudonymise``, as `riskmodel.data.read` takes them.

    Returns
    -------
    Month

    Raises
    ------
    InputRefused
        If the data cannot be used.
    UsageError
        If there is no such model, or the number of visits was never said.
    """
    tell = say or _LOG.info
    day = point_in_time.to_date(as_of)
    folder = Path(out) / day.isoformat()
    markers.sweep(folder)
    # A mistyped folder must not touch a month that is made already.
    if not Path(data).exists():
        raise InputMissing(f"{data}: no such folder or file")
    content = markers.data_digest(Path(data))
    settled, loaded = settings.settle(folder, day, wishes or Wishes(), store, **reading)
    settings.write(settled, folder)
    work = steps.Work(Path(data), folder, Path(store), settled, tell, loaded)
    told: dict[str, Any] = {}
    done: list[str] = []
    for number, (name, step) in enumerate(STEPS.items(), start=1):
        inputs = _inputs(name, settled, content, folder)
        if markers.is_done(folder, name, inputs):
            tell(f"{number}/{len(STEPS)} {name}: stands")
        else:
            tell(f"{number}/{len(STEPS)} {name}")
            made, summary = step(work)
            markers.write(folder, name, inputs, made, summary)
            done.append(name)
        found = markers.read(folder, name)
        told[name] = found["told"] if found else {}
    with_names = tuple(steps.named(work, names)) if names is not None else ()
    beside = steps.named_folder(folder)
    if names is None and "worklist" in done and beside.is_dir():
        tell(f"warning: {beside} is of an earlier list: give --names again, or delete it")
    return Month(folder, settled, told, tuple(done), with_names)


def _inputs(name: str, settled: Settings, content: str, folder: Path) -> dict[str, Any]:
    out: dict[str, Any] = {"data": content, "settings": settled.of(name)}
    for before in READS.get(name, ()):
        found = markers.read(folder, before)
        out[before] = found["files"] if found else None
    return out
