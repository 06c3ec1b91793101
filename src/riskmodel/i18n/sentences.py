"""Sentences that the code writes in English, in Chinese: matched with templates of the catalogue.

Errors, progress and help stand in the code as English sentences. Their Chinese stands in the catalogue as
lists of ``{zh: …, en: …}``, where ``en`` has named places for what the code fills in (as in gettext, the
English is the key). A sentence is read back by its template, and what fills the places is translated in turn:
``{rows:row|rows} rejected`` finds both "1 row rejected" and "3 rows rejected".
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import pairwise
from typing import Any

from riskmodel.i18n.catalogue import Language, entries, section, subjects

# The language of whoever made the call that now runs; a library's is English.
_SPOKEN: ContextVar[Language] = ContextVar("_SPOKEN", default="en")
# The parts of the catalogue that hold sentences of the code.
SENTENCES = ("cli.toolkit", "progress", "errors")
_OWN = ("cli", "progress", "errors")
_JOINTS = (("; ", "；"), (": ", "："), (", ", "，"))
# A thing that is counted: "duplicate row 17".
_COUNTED = re.compile(r"(?P<what>[^\d].*) (?P<number>\d[\d.,]*%?)")
# A phrase of another subject is looked for only if that much of it is fixed: "{a}: {b}" is in any sentence.
_LETTERS = 12


@dataclass
class _Template:
    """One sentence with places, and how it is found."""

    en: str
    zh: str
    parts: tuple[tuple[str, str, str], ...] = field(init=False)  # text, and the place after it: name, nouns
    letters: int = field(init=False)

    def __post_init__(self) -> None:
        self.parts = tuple(_parts(self.en))
        self.letters = sum(c.isalpha() for text, _, nouns in self.parts for c in text + nouns)

    @property
    def introduces(self) -> bool:
        """Whether it is a word before another sentence."""
        first, *others = self.parts
        return len(others) == 1 and others[0][0] == "" and re.fullmatch(r"[A-Za-z]+: ", first[0]) is not None

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What the sentence looks like when its places are filled.

        A place ends where the text after it first stands, and is not tried longer: else a long message would
        take minutes.
        """
        out, seen = [re.escape(self.parts[0][0])], set()
        for (_, name, nouns), (text, following, _) in pairwise(self.parts):
            after = re.escape(text)
            if nouns:
                one, many = nouns.split("|")
                out.append(rf"(?P<{name}>[^\s:]+) (?:{re.escape(many)}|{re.escape(one)}){after}")
            elif name in seen:
                out.append(f"(?P={name}){after}")
            elif after and following:
                out.append(f"(?P<{name}>(?>.*?(?={after}))){after}")
            else:
                out.append(f"(?P<{name}>.*?){after}")
            seen.add(name)
        return re.compile("".join(out), re.DOTALL)

    def match(self, sentence: str) -> dict[str, str] | None:
        """Return what fills the places, if this is the sentence."""
        if not sentence.startswith(self.parts[0][0]) or not sentence.endswith(self.parts[-1][0]):
            return None
        if any(text not in sentence for text, _, _ in self.parts):
            return None
        found = self.pattern.fullmatch(sentence)
        return found.groupdict() if found else None


def _parts(template: str) -> Iterator[tuple[str, str, str]]:
    """Yield the fixed texts of a template, each with the place after it; the last has none."""
    held = ""
    for text, name, spec, _ in string.Formatter().parse(template):
        held += text
        if name is not None:
            yield held, name, "|".join(str(spec).split("|")[-2:]) if "|" in (spec or "") else ""
            held = ""
    yield held, "", ""


class Sentences:
    """Templates of sentences in both languages, to translate English into Chinese.

    Parameters
    ----------
    templates
        ``{"zh": …, "en": …}``, with the same places.

    Examples
    --------
    >>> found = Sentences([{"en": "{path}: no such file", "zh": "{path}：没有这个文件"}])
    >>> found.chinese("a.csv: no such file")
    'a.csv：没有这个文件'
    >>> found.chinese("something else") is None
    True
    """

    def __init__(self, templates: Iterable[Mapping[str, str]]) -> None:
        self._whole: dict[str, str] = {}
        self._found: dict[str, str | None] = {}
        with_places = []
        for words in templates:
            one = _Template(words["en"], words["zh"])
            if len(one.parts) == 1:
                self._whole.setdefault(one.parts[0][0].strip(" "), "".join(_filled(one.zh, {})))
            elif one.letters:
                with_places.append(one)
        # What is said of a sentence ("warning: {text}") comes off first; else the template that has most in
        # common with a sentence is its own.
        self._with_places = sorted(
            with_places, key=lambda one: (not one.introduces, -one.letters, -len(one.en))
        )

    def chinese(self, sentence: str) -> str | None:
        """Return the sentence in Chinese; None where nothing is known of it.

        Parameters
        ----------
        sentence
            English, places filled. Lines, and what semicolons and colons part, are tried one by one where
            the whole is unknown.

        Returns
        -------
        str or None
            Chinese; what is unknown in it stays as it is.
        """
        if sentence not in self._found:
            self._found[sentence] = self._translated(sentence) if sentence.strip() else None
        return self._found[sentence]

    def _translated(self, sentence: str) -> str | None:
        whole = self._one(sentence)
        if whole is not None:
            return whole
        if "\n" in sentence:
            return self._parts(sentence, "\n", "\n")
        for joint, written in _JOINTS:
            if joint in sentence and (found := self._parts(sentence, joint, written)) is not None:
                return found
        return None

    def _one(self, sentence: str) -> str | None:
        """Return a sentence that a template or a whole entry stands for; spaces around it stay."""
        core = sentence.strip(" ")
        before, _, after = sentence.partition(core)
        if core in self._whole:
            return before + self._whole[core] + after
        if "\n" in core:
            return None
        if (counted := _COUNTED.fullmatch(core)) and counted["what"] in self._whole:
            return f"{before}{self._whole[counted['what']]} {counted['number']}{after}"
        for template in self._with_places:
            values = template.match(core)
            if values is not None:
                known = {name: self.chinese(value) or value for name, value in values.items()}
                return before + "".join(_filled(template.zh, known)) + after
        return None

    def _parts(self, sentence: str, joint: str, written: str) -> str | None:
        """Translate what a joint parts; a colon parts only once, so that a path or an id stays whole."""
        parts = sentence.split(joint, 1 if joint == ": " else -1)
        found = [self.chinese(part) for part in parts]
        if all(one is None for one in found):
            return None
        return written.join(one or part for one, part in zip(found, parts, strict=True))


def _filled(template: str, values: Mapping[str, str]) -> Iterator[str]:
    for text, name, _, _ in string.Formatter().parse(template):
        yield text
        if name is not None:
            yield values[name]


def spoken_language() -> Language:
    """Return the language that progress and warnings of the call now running are said in: English by default.

    Returns
    -------
    str
        ``zh`` or ``en``.
    """
    return _SPOKEN.get()


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Say progress and warnings in a language while the context lasts.

    Parameters
    ----------
    language
        Which language.

    Examples
    --------
    >>> with speaking("zh"):
    ...     spoken_language()
    'zh'
    """
    token = _SPOKEN.set(language)
    try:
        yield
    finally:
        _SPOKEN.reset(token)


def translate(sentence: str, language: Language) -> str:
    """Return a sentence that the code wrote in English, in the language asked for.

    Parameters
    ----------
    sentence
        An error, a warning, a line of progress, a text of help.
    language
        Which language.

    Returns
    -------
    str
        The sentence; what no catalogue knows stays English.

    Examples
    --------
    >>> translate("a.csv: no such file", "zh")
    'a.csv：没有这个文件'
    >>> translate("a.csv: no such file", "en")
    'a.csv: no such file'
    """
    if language == "en":
        return sentence
    return _sentences().chinese(sentence) or sentence


def sentences_of(key: str) -> Sentences:
    """Return the sentences of one part of the catalogue: of help alone, say."""
    return Sentences(words for _, words in entries(section(key), key))


@cache
def _sentences() -> Sentences:
    """Return every sentence of the code, and what computing layers say in both languages."""
    own = [words for part in SENTENCES for _, words in entries(section(part), part)]
    other = [words for subject in subjects() if subject not in _OWN for words in _phrases(subject)]
    return Sentences([*own, *other])


def _phrases(subject: str) -> Iterator[Any]:
    """Yield the sentences of another subject: "{a}: {b}" is in any sentence, a single word in any data."""
    for _, words in entries(section(subject), subject):
        said_otherwise = words["en"] != words["zh"] and " " in words["en"]
        if said_otherwise and ("{" not in words["en"] or _Template(**words).letters >= _LETTERS):
            yield words
