"""How large the amounts of a table may be for their sums to be exact."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from riskmodel.errors import InputRefused

_LARGEST = 2**53  # all amounts of a table together: sums are exact as floats too


@dataclass
class AmountSize:
    """How large the amounts of a table are together: as floats, too, their sums must be exact."""

    table: str
    count: int = 0
    largest: int = 0
    total: float = 0.0

    def add(self, amounts: np.ndarray) -> None:
        """Take some amounts in."""
        self.count += len(amounts)
        self.largest = max(self.largest, int(amounts.max(initial=0)), -int(amounts.min(initial=0)))
        self.total += float(np.abs(amounts).sum(dtype=np.float64))

    def refuse_large(self) -> None:
        """Refuse amounts whose sum would not be exact."""
        if float(self.largest) * self.count > _LARGEST and self.total > _LARGEST:
            raise InputRefused(f"{self.table}: the amounts are too large to be added up exactly")
