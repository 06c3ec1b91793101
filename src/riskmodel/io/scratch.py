"""Folders for what does not fit in memory: gone with the object that holds them, or with the process."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path


class ScratchFolder:
    """A folder among the system's temporary ones; it is deleted when nobody holds the object any more."""

    def __init__(self, name: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=f"riskmodel-{name}-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
