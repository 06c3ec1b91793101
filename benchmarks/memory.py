"""Peak memory of a process, the same for every benchmark."""

from __future__ import annotations

import resource
import sys


def peak() -> float:
    """Return the most memory this process has held since its start, in GiB."""
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss: bytes on macOS, KiB on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
