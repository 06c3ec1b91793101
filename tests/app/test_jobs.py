"""Jobs tell how they go and how they ended; one that is ended leaves nothing half-written."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from riskmodel.app import jobs
from riskmodel.app.jobs import Job, start_job
from riskmodel.errors import InputRefused
from riskmodel.io import atomic


def count(say: Callable[[str], None], n: int) -> int:
    for i in range(n):
        say(f"{i + 1}/{n} step")
    return n


def refuse(say: Callable[[str], None]) -> None:
    raise InputRefused("households.csv: no such file")


def fail(say: Callable[[str], None]) -> None:
    raise ZeroDivisionError("by zero")


def write_slowly(say: Callable[[str], None], path: Path) -> None:
    with atomic(path) as temporary:
        temporary.write_text("half")
        say("1/2 half")
        time.sleep(60)


class _Process:
    """What stands for a process that has ended."""

    exitcode = -9

    def join(self, timeout: float) -> None:
        """It has ended."""


def run(task: Callable[..., object], **given: object) -> Job:
    ours, theirs = multiprocessing.Pipe(duplex=False)
    job = Job("month", _process=_Process())
    worker = threading.Thread(target=jobs._run, args=(theirs, task, given))
    worker.start()
    jobs._listen(job, ours)
    worker.join()
    return job


def test_a_job_says_where_it_is_and_what_came_out() -> None:
    job = run(count, n=4)
    assert (job.state, job.result, job.step, job.steps, job.share) == ("done", 4, 4, 4, 1.0)
    assert job.lines[0] == "1/4 step"
    halfway = Job("month", lines=[], step=3, steps=6)
    assert halfway.share == pytest.approx(2 / 6)


def test_an_error_of_ours_is_a_sentence_and_a_fault_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    refused, failed = run(refuse), run(fail)
    assert (refused.state, refused.error) == ("refused", "households.csv: no such file")
    assert (failed.state, failed.error) == ("fault", "ZeroDivisionError: by zero")
    assert "Traceback" not in refused.error + failed.error
    assert "ZeroDivisionError" in capsys.readouterr().err  # whoever started the page can see where


def test_a_process_that_is_killed_is_a_fault() -> None:
    ours, theirs = multiprocessing.Pipe(duplex=False)
    job = Job("month", _process=_Process())
    theirs.close()
    jobs._listen(job, ours)
    assert (job.state, job.error) == ("fault", "the process ended with -9")


@pytest.mark.slow
def test_a_process_works_for_itself_and_can_be_ended(tmp_path: Path) -> None:
    done = start_job("count", count, n=3)
    slow = start_job("write", write_slowly, path=tmp_path / "list.xlsx")
    assert done.wait(60).state == "done"
    assert done.result == 3
    until = time.monotonic() + 60
    while not slow.lines and time.monotonic() < until:
        time.sleep(0.05)
    slow.cancel()
    assert slow.state == "cancelled"
    assert not (tmp_path / "list.xlsx").exists()
    assert not slow._process.is_alive()
