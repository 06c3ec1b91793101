"""Two runs in one folder: the second waits and says so, then is refused; nothing is left over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from riskmodel.errors import UsageError
from riskmodel.io import folder_lock


def test_the_second_waits_with_a_message_then_is_refused(tmp_path: Path) -> None:
    said: list[str] = []
    with (
        folder_lock(tmp_path),
        pytest.raises(UsageError, match="another run works in it"),
        folder_lock(tmp_path, said.append, 0.3),
    ):
        raise AssertionError("both are in")
    assert len(said) == 1
    assert "waiting" in said[0]
    assert not list(tmp_path.iterdir())


def test_it_goes_on_once_the_first_has_ended(tmp_path: Path) -> None:
    order: list[str] = []
    file = tmp_path / "county.duckdb"
    file.touch()

    def first() -> None:
        with folder_lock(file):
            order.append("first in")
            time.sleep(0.5)
            order.append("first out")

    thread = threading.Thread(target=first)
    thread.start()
    while not order:
        time.sleep(0.01)
    with folder_lock(file, wait=10):
        order.append("second in")
    thread.join()
    assert order == ["first in", "first out", "second in"]
    assert [p.name for p in tmp_path.iterdir()] == ["county.duckdb"]


def test_a_folder_made_for_the_lock_goes_with_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="x"), folder_lock(tmp_path / "new"):
        raise ValueError("x")
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(os.name == "nt", reason="kills a process")
def test_a_killed_run_holds_nothing(tmp_path: Path) -> None:
    code = (
        "import sys,time; from riskmodel.io.locks import folder_lock\n"
        "with folder_lock(sys.argv[1]): print('in', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(UsageError), folder_lock(tmp_path, wait=0.05):
            pass
        other.send_signal(signal.SIGKILL)
        other.wait()
        with folder_lock(tmp_path, wait=5):
            pass
    assert not list(tmp_path.iterdir())
