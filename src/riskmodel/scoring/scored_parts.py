"""The features that scores were made of, kept until reasons are written: part by part, on disk where several.

A reason compares a household with the median of the whole county, which is known only once all parts are
scored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from riskmodel.io import ScratchFolder


@dataclass
class ScoredParts:
    """Features of the parts of a county, in the order in which they were scored."""

    names: list[str]
    _frames: list[pd.DataFrame] = field(default_factory=list)
    _files: list[Path] = field(default_factory=list)
    _folder: ScratchFolder | None = None

    def add(self, X: pd.DataFrame, several: bool) -> None:
        """Take in the features of a part; where there are several parts they go to disk."""
        if not several:
            self._frames.append(X)
            return
        self._folder = self._folder or ScratchFolder("features")
        path = self._folder.path / f"{len(self._files)}.npy"
        np.save(path, np.ascontiguousarray(X[self.names].to_numpy(dtype=float).T))
        self._files.append(path)

    def __iter__(self) -> Iterator[pd.DataFrame]:
        """Yield the features of each part."""
        yield from self._frames
        for path in self._files:
            yield pd.DataFrame(np.load(path).T, columns=self.names, copy=False)

    def column(self, name: str) -> np.ndarray:
        """Return one feature of all parts."""
        place = self.names.index(name)
        columns = [X[name].to_numpy(dtype=float) for X in self._frames]
        columns += [np.load(path, mmap_mode="r")[place] for path in self._files]
        return np.concatenate(columns)
