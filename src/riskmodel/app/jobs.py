"""Long work in a process of its own: the page stays alive, and a cancelled job leaves whole files only.

Everything that a task writes is written whole or not at all (`riskmodel.io.atomic`) and a month has
checkpoints, so that a job can be ended at any point and started again.
"""

from __future__ import annotations

import multiprocessing
import re
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, Literal

from riskmodel.errors import RiskmodelError

State = Literal["running", "done", "refused", "fault", "cancelled"]
Task = Callable[..., Any]  # takes `say` and its own arguments, all of which can be pickled
_STEP = re.compile(r"\s*(\d+)/(\d+)\b")  # how a task says where it is: "2/6 rules"
_PATIENCE = 10.0  # seconds until a process that does not end by itself is killed


@dataclass
class Job:
    """One task and what is known of it; its fields change while it runs.

    Parameters
    ----------
    kind
        What it is, for the page.
    state
        ``running``, ``done``, ``refused`` (an error raised on purpose), ``fault`` (ours) or ``cancelled``.
    lines
        What the task said so far.
    step, steps
        Where it is, of how many; 0 of 0 where the task does not say.
    result
        What it returned.
    error
        The error's sentence, in English, or the name of a fault of ours.
    """

    kind: str
    state: State = "running"
    lines: list[str] = field(default_factory=list)
    step: int = 0
    steps: int = 0
    result: Any = None
    error: str = ""
    _process: Any = None
    _listener: threading.Thread | None = None

    @property
    def running(self) -> bool:
        """Whether it still works."""
        return self.state == "running"

    @property
    def share(self) -> float:
        """How far it is, 0 to 1: whole steps only, as steps are of different length."""
        if self.state == "done":
            return 1.0
        return max(self.step - 1, 0) / self.steps if self.steps else 0.0

    def cancel(self) -> None:
        """End it; what it has not written whole is not there."""
        if self.running:
            self.state = "cancelled"
            self._process.terminate()
        self.wait()

    def wait(self, seconds: float | None = None) -> Job:
        """Wait until it has ended, and return it."""
        if self._listener is not None:
            self._listener.join(_PATIENCE if self.state == "cancelled" else seconds)
            if self._listener.is_alive() and self.state == "cancelled":
                self._process.kill()
                self._listener.join(_PATIENCE)
        return self

    def hear(self, line: str) -> None:
        """Take in a line that the task says."""
        self.lines.append(line)
        if found := _STEP.match(line):
            self.step, self.steps = int(found[1]), int(found[2])


def start_job(kind: str, task: Task, /, **given: Any) -> Job:
    """Start a task in a process of its own.

    Parameters
    ----------
    kind
        What the page calls it.
    task
        A function of a module (it is found again by name in the process); its first argument is ``say``.
    **given
        Its other arguments.

    Returns
    -------
    Job
        Running.
    """
    context = multiprocessing.get_context("spawn")  # the same on every system; nothing is inherited
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(theirs, task, given), name=f"riskmodel-{kind}", daemon=True)
    job = Job(kind, _process=process)
    process.start()
    theirs.close()
    job._listener = threading.Thread(target=_listen, args=(job, ours), daemon=True)
    job._listener.start()
    return job


def _run(pipe: Connection, task: Task, given: dict[str, Any]) -> None:
    """Run a task and tell what it says and how it ended; the process's whole work."""

    def say(line: str) -> None:
        pipe.send(("say", str(line)))

    try:
        pipe.send(("done", task(say, **given)))
    except RiskmodelError as exc:
        pipe.send(("refused", str(exc)))
    except Exception as exc:
        traceback.print_exc()  # for whoever started the page; the page itself says one line
        pipe.send(("fault", f"{type(exc).__name__}: {exc}"))
    finally:
        pipe.close()


def _listen(job: Job, pipe: Connection) -> None:
    """Take in what a job's process tells until it ends."""
    try:
        while True:
            kind, content = pipe.recv()
            if kind == "say":
                job.hear(content)
            elif job.running:
                job.result, job.error = (content, "") if kind == "done" else (None, content)
                job.state = kind
    except (EOFError, OSError):
        pass
    finally:
        pipe.close()
    job._process.join(_PATIENCE)
    if job.running:
        # Ended from outside, or by a lack of memory: it could not say so itself.
        job.state, job.error = "fault", f"the process ended with {job._process.exitcode}"
