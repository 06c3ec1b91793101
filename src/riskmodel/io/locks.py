"""One run at a time in a folder: the next waits with a message, then is refused.

The system lets go of the lock when the process ends, however it ends; the lock's file goes with the run.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from riskmodel.errors import InputMissing, UsageError

LOCK = ".riskmodel.lock"
WAIT = 60.0  # seconds
_STEP = 0.2


@contextlib.contextmanager
def folder_lock(
    path: str | Path, say: Callable[[str], None] | None = None, wait: float = WAIT
) -> Iterator[None]:
    """Hold a folder (or a file, by a lock beside it) while the body runs.

    Parameters
    ----------
    path
        The folder, made if it is not there, or the file.
    say
        Is told once that another run is waited for.
    wait
        Seconds until it is refused.

    Raises
    ------
    UsageError
        If another run still holds it.
    InputMissing
        If the folder cannot be written to.
    """
    target = Path(path)
    lock = target.with_name(f".{target.name}.lock") if target.is_file() else target / LOCK
    is_new = not lock.parent.exists()
    file = _wait_for(lock, target, say, wait)
    try:
        yield
    finally:
        _release(lock, file)
        if is_new:
            with contextlib.suppress(OSError):  # it holds something now
                lock.parent.rmdir()


def _wait_for(lock: Path, target: Path, say: Callable[[str], None] | None, wait: float) -> IO[bytes]:
    end, told = time.monotonic() + wait, False
    while (file := _try(lock)) is None:
        if say is not None and not told:
            say(f"another run works in {target}: waiting up to {wait:.0f} s for it to end")
            told = True
        if time.monotonic() >= end:
            raise UsageError(f"{target}: another run works in it; try again when it has ended")
        time.sleep(min(_STEP, max(wait, 0.01)))
    return file


def _try(lock: Path) -> IO[bytes] | None:
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("ab")
    except OSError as exc:
        raise InputMissing(f"{lock.parent}: cannot be written: {exc.strerror or exc}") from exc
    try:
        _hold(file)
        # Whoever held it before may have removed the file that was opened here.
        if os.fstat(file.fileno()).st_ino == lock.stat().st_ino:
            return file
    except OSError:
        pass
    file.close()
    return None


def _release(lock: Path, file: IO[bytes]) -> None:
    if os.name == "nt":
        file.close()  # Windows removes no file that is open
    with contextlib.suppress(OSError):
        lock.unlink()
    file.close()


def _hold(file: IO[bytes]) -> None:
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
