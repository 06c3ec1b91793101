"""What a benchmark writes: figures (less is better), their limits, the size it ran on, what was skipped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_figures(
    file: Path | None,
    benchmark: str,
    size: Mapping[str, Any],
    figures: Mapping[str, float],
    limits: Mapping[str, float] | None = None,
    **more: Any,
) -> None:
    """Write figures as `compare.py` reads them; nothing where no file is wanted."""
    if file is not None:
        content = {"benchmark": benchmark, "size": size, "figures": figures, "limits": limits or {}, **more}
        file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
