"""Which column of a filled list is which: the list's own headers in both languages, and the contract's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from riskmodel.data import contract, normal
from riskmodel.scoring.worklist.words import book

NEEDED = ("household_id", "outcome", "visited_on")
READ = (*NEEDED, "decision", "cause", "selected_by", "chance")
# The list says "visited on" where the contract's table of visits says "date".
_CONTRACT = {"visited_on": "date"}
_CODED = {"outcome": "outcomes", "decision": "decisions", "cause": "causes"}


def aliases() -> dict[str, str]:
    """Return ``{normalised header: column of the list}``.

    Examples
    --------
    >>> aliases()["核查结果"], aliases()["finding"], aliases()["date"]
    ('outcome', 'outcome', 'visited_on')
    """
    own = {c.id: c for c in book().columns}
    columns = contract().tables["visits"].columns
    out: dict[str, str] = {}
    for name in READ:
        spec = columns[_CONTRACT.get(name, name)]
        words = (name, _CONTRACT.get(name, name), spec.zh, own[name].zh, own[name].en)
        out |= {normal(word): name for word in words}
    return out


def find(cells: Sequence[object]) -> dict[str, int] | None:
    """Return where the columns of a filled list stand in a row, or None if the row is no header of one.

    Parameters
    ----------
    cells : sequence
        One row as it stands.

    Returns
    -------
    dict or None
        Column to position from 0; the first of two equal headers counts.
    """
    known = aliases()
    found: dict[str, int] = {}
    for position, cell in enumerate(cells):
        column = known.get(normal(cell)) if isinstance(cell, str) else None
        if column is not None:
            found.setdefault(column, position)
    return found if all(name in found for name in NEEDED) else None


def words_of(column: str) -> Mapping[str, str]:
    """Return ``{what may be written: code}`` of a coded column: both languages, and the code itself.

    Examples
    --------
    >>> words_of("outcome")["属实"], words_of("outcome")["not confirmed"]
    ('confirmed', 'not_confirmed')
    """
    from riskmodel.scoring.worklist.words import code_words

    key = _CODED.get(column, column)
    out: dict[str, str] = {}
    for lang in ("zh", "en"):
        out |= {word.lower(): code for code, word in code_words("zh" if lang == "zh" else "en")[key].items()}
    return out | {code: code for code in list(out.values())}


def allowed(column: str) -> str:
    """Return the words that may be chosen, for a message."""
    from riskmodel.scoring.worklist.words import code_words

    both = (code_words("zh")[_CODED.get(column, column)], code_words("en")[_CODED.get(column, column)])
    return ", ".join(f"{both[0][code]} ({both[1][code]})" for code in both[0])
