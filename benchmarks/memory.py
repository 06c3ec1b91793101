"""Peak memory of a process, the same for every benchmark."""

from __future__ import annotations

import contextlib
import resource
import sys
from pathlib import Path

_STATUS, _RESTART = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak() -> float:
    """Return the most memory this process has held since its start (or `restart_peak`), in GiB."""
    if _STATUS.exists():
        line = next(x for x in _STATUS.read_text(encoding="ascii").splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) / 2**20
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss: bytes on macOS, KiB on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def restart_peak() -> None:
    """Measure from now on, where the system can; elsewhere the peak stays that of the whole process."""
    with contextlib.suppress(OSError):
        _RESTART.write_text("5", encoding="ascii")
