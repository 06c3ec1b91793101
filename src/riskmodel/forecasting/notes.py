"""What could not be done as usual, said in both languages."""

from __future__ import annotations


class Note(str):
    """A sentence in English that knows its Chinese.

    Parameters
    ----------
    en, zh : str

    Examples
    --------
    >>> note = Note("no register", "没有登记")
    >>> note, note.zh
    ('no register', '没有登记')
    """

    zh: str

    def __new__(cls, en: str, zh: str) -> Note:
        """Return the English text with its Chinese beside it."""
        made = super().__new__(cls, en)
        made.zh = zh
        return made
