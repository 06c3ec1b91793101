"""How much memory and how many threads one process may use: said once, before any work is done."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass

from riskmodel.errors import UsageError

# What numpy, scikit-learn and LightGBM read when they are loaded.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_MEMORY = re.compile(r"[0-9]+(\.[0-9]+)? ?([KMGT]i?B)", re.IGNORECASE)


@dataclass(frozen=True)
class ResourceLimits:
    """The limits of this process.

    Attributes
    ----------
    memory
        What the table engine may hold before it writes to disk, such as ``2GiB``; None for its own default
        (80 % of the machine).
    threads
        Of the table engine and of numerical libraries; None for one a core.
    """

    memory: str | None = None
    threads: int | None = None

    @property
    def statements(self) -> list[str]:
        """What a DuckDB connection is told."""
        told = [f"SET memory_limit = '{self.memory}'"] if self.memory else []
        return [*told, *([f"SET threads = {self.threads}"] if self.threads else [])]


_LIMITS = [ResourceLimits()]


def resource_limits() -> ResourceLimits:
    """Return the limits that hold in this process."""
    return _LIMITS[0]


def memory_limit() -> int:
    """Return the bytes that may be held: what was said, or 80 % of the machine."""
    found = _MEMORY.fullmatch(_LIMITS[0].memory or "")
    if found is None:
        return int(0.8 * _machine())
    base = 1024 if "i" in found[2].lower() else 1000
    return int(float(found[0].removesuffix(found[2])) * base ** ("KMGT".index(found[2][0].upper()) + 1))


def _machine() -> int:
    """Return the memory of the machine in bytes, where it says; else 8 GiB."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 8 * 2**30


def limit_resources(memory: str | None = None, threads: int | None = None) -> None:
    """Limit this process and those that it starts; None takes a limit back.

    Results do not depend on either. The limit of memory is the table engine's: panels, features and models
    stand in arrays beside it.

    Parameters
    ----------
    memory
        Such as ``800MB`` or ``2GiB``.
    threads
        At least 1.

    Raises
    ------
    UsageError
        If the memory is no such amount, or there is no thread.

    Examples
    --------
    >>> limit_resources("2GiB", 1)
    >>> resource_limits().statements
    ["SET memory_limit = '2GiB'", 'SET threads = 1']
    >>> limit_resources()
    """
    if memory is not None and not _MEMORY.fullmatch(memory):
        raise UsageError(f"memory {memory!r} is no amount; give one such as 800MB or 2GiB")
    if threads is not None and threads < 1:
        raise UsageError(f"threads {threads}: at least 1")
    _LIMITS[0] = ResourceLimits(memory, threads)
    if threads is None:
        return
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    if "numpy" in sys.modules:
        import threadpoolctl

        threadpoolctl.threadpool_limits(limits=threads)
