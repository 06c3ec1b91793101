"""Townships and villages that offices spell in several ways: 上坪, 上坪村, 上坪村委会."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from riskmodel.importing.findings import Findings, cell_place

_TOWNSHIP_ENDS = (("镇", "镇人民政府"), ("乡", "乡人民政府"), ("街道", "街道办事处", "街道办"))
_TIMES_MORE = 20  # so many times the households of a township that may be its misspelling
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
    _ask_townships_alike(rows, findings)


def _ask_townships_alike(rows: pd.DataFrame, findings: Findings) -> None:
    """Ask about townships of a few households that are one character from a large one with their villages."""
    places = rows[rows["township"].notna()].drop_duplicates(["household_id", "township"])
    counts = places["township"].value_counts()
    villages = {name: set(own.dropna()) for name, own in places.groupby("township")["village"]}
    for few in counts.index:
        large = counts.index[counts >= _TIMES_MORE * counts[few]]
        for other in (o for o in large if _one_apart(few, o) and villages[few] <= villages[o]):
            own = places[places["township"] == few]
            first = {str(k): v for k, v in own.iloc[0].to_dict().items()}
            household = first["household_id"] if counts[few] == 1 else ""
            findings.add(
                "asked", "township alike", cell_place(first), text=few, given=other,
                n=int(counts[few]), household_id=household,
            )  # fmt: skip
            break


def _one_apart(one: str, other: str) -> bool:
    """Say whether two words differ in one character, or one of them has one more."""
    if len(one) == len(other):
        return sum(a != b for a, b in zip(one, other, strict=True)) == 1
    short, long = sorted((one, other), key=len)
    return len(long) - len(short) == 1 and any(long[:i] + long[i + 1 :] == short for i in range(len(long)))


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
