"""Townships and villages that offices spell in several ways: 上坪, 上坪村, 上坪村委会."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from riskmodel.importing.findings import Findings, cell_place

_TOWNSHIP_ENDS = (("镇", "镇人民政府"), ("乡", "乡人民政府"), ("街道", "街道办事处", "街道办"))
_VILLAGE_ENDS = (("村", "村委会", "村民委员会", "行政村"), ("社区", "居委会", "社区居委会", "居民委员会"))


def settle_spellings(rows: pd.DataFrame, findings: Findings) -> None:
    """Give each township and village the spelling that most of its rows have: 上坪, 上坪村, 上坪村委会."""
    for name, outer, kinds in (
        ("township", None, _TOWNSHIP_ENDS),
        ("village", "township", _VILLAGE_ENDS),
    ):
        for _, part in rows.groupby(rows[outer] if outer else (lambda _: ""), sort=False):
            for spellings in _same_places([v for v in part[name] if isinstance(v, str)], kinds):
                chosen = spellings[0]
                others = part.index[part[name].isin(spellings[1:])]
                first = {str(k): v for k, v in rows.loc[others[0]].to_dict().items()}
                findings.add(
                    "told", "village spelled", cell_place(first), text=" / ".join(spellings), given=chosen
                )  # fmt: skip
                rows.loc[others, name] = chosen


def _same_places(words: Sequence[str], kinds: Sequence[tuple[str, ...]]) -> list[list[str]]:
    """Return the spellings of each place that has several, the most frequent (then longest) first.

    A bare name of which both 上坪村 and 上坪社区 are there may be either: it stays.
    """
    counts = Counter(words)
    stems: dict[str, dict[int, list[str]]] = {}
    for word in counts:
        kind = next((i for i, ends in enumerate(kinds) if word.endswith(ends) and word not in ends), -1)
        ends = kinds[kind] if kind >= 0 else ()
        longest = max((e for e in ends if word.endswith(e)), key=len, default="")
        stems.setdefault(word.removesuffix(longest), {}).setdefault(kind, []).append(word)
    out = []
    for by_kind in stems.values():
        bare = by_kind.pop(-1, [])
        groups = list(by_kind.values())
        if len(groups) == 1:
            groups = [groups[0] + bare]
        out += [sorted(g, key=lambda w: (-counts[w], -len(w))) for g in groups if len(g) > 1]
    return out
