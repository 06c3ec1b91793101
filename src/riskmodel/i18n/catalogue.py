"""The catalogue of words: reading it, and filling its sentences in.

A key is a path with dots whose first part is the subject, that is the file:
``report.page.title`` stands in ``words/report.yaml`` under ``page`` and ``title``. An entry is
``{zh: …, en: …}``, or ``{same: …}`` where both languages write the same (``MASE``, a reference).
Places are those of `str.format`: ``{n}``, ``{share:.1%}``; and ``{n:month|months}`` (with a number's format
``{n:.1f|month|months}``) writes a number with its noun, one or many.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from riskmodel.errors import SpecError, UsageError, did_you_mean
from riskmodel.io import Spec, read_yaml

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")
SAME = "same"
FOLDER = Path(__file__).with_name("words")


class Words(Spec):
    """A phrase in both languages, as declarations hold it."""

    zh: str
    en: str

    def text(self, language: Language) -> str:
        """Return the phrase in one language."""
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True)
class Message:
    """A sentence not yet written: the key of the catalogue, and what fills its places.

    Computing layers return it instead of a sentence; it goes through JSON (`as_dict`, `from_dict`).

    Parameters
    ----------
    key
        Such as ``evaluation.verdict.better``.
    values
        Place to number, text, another `Message`, or words ``{"zh": …, "en": …}``.

    Examples
    --------
    >>> message = Message("data.notices.unknown file", {"what": "notes.txt"})
    >>> message.text("en")
    'notes.txt is no table of the contract and was not read'
    >>> Message.from_dict(message.as_dict()) == message
    True
    """

    key: str
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """The last part of the key: what the message is about, for a program."""
        return self.key.rpartition(".")[2]

    def text(self, language: Language) -> str:
        """Return the sentence in one language; raises as `riskmodel.i18n.text`."""
        return text(self.key, language, **self.values)

    def both(self) -> dict[str, str]:
        """Return the sentence in both languages; raises as `riskmodel.i18n.text`."""
        return both(self.key, **self.values)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        plain = {k: v.as_dict() if isinstance(v, Message) else v for k, v in self.values.items()}
        return {"key": self.key, "values": plain}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Message:
        """Return the message that `as_dict` wrote."""
        values = {k: cls.from_dict(v) if _is_message(v) else v for k, v in content["values"].items()}
        return cls(content["key"], values)


def text(key: str, language: Language, /, **values: Any) -> str:
    """Return a phrase of the catalogue in one language, its places filled in.

    Parameters
    ----------
    key
        Subject and path, such as ``register.words.below``.
    language
        Which language.
    **values
        What fills the places: numbers, text, a `Message`, or words in both languages.

    Returns
    -------
    str
        The phrase.

    Raises
    ------
    UsageError
        If the catalogue has no such phrase (near keys are named) or a place is not filled.

    Examples
    --------
    >>> text("data.notices.unknown file", "en", what="notes.txt")
    'notes.txt is no table of the contract and was not read'
    """
    entry = section(key)
    if not _is_entry(entry):
        raise UsageError(f"words {key!r} are a section, no phrase: {', '.join(map(str, _names(entry)))}")
    shown = {name: _in_language(value, language) for name, value in values.items()}
    try:
        return fill(entry[language], **shown)
    except (KeyError, IndexError) as exc:
        raise UsageError(f"words {key!r} have a place {exc} that is not filled in") from exc


class _Sentences(string.Formatter):
    """`str.format` with numbers that are followed by their noun."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if "|" not in format_spec:
            return str(super().format_field(value, format_spec))
        *number, one, many = ["", *format_spec.split("|")]
        return counted(super().format_field(value, number[-1]), one, many)


_SENTENCES = _Sentences()


def fill(template: str, /, **values: Any) -> str:
    """Return a phrase of the catalogue, as `section` gives it, with its places filled in.

    Parameters
    ----------
    template
        A phrase in one language.
    **values
        What fills the places.

    Returns
    -------
    str
        The phrase.

    Raises
    ------
    KeyError
        If a place is not filled.

    Examples
    --------
    >>> fill("{n:month|months} behind", n=1), fill("{n:,|row was|rows were} read", n=2000)
    ('1 month behind', '2,000 rows were read')
    """
    # Few phrases count something, and the plain way is ten times as fast.
    return _SENTENCES.vformat(template, (), values) if "|" in template else template.format(**values)


def counted(number: object, one: str, many: str = "") -> str:
    """Return a number with its English noun, singular for one.

    Parameters
    ----------
    number
        A number, or one as it is written.
    one
        The noun (and what agrees with it) for one.
    many
        For any other number; by default with an ``s``.

    Returns
    -------
    str
        Both.

    Examples
    --------
    >>> counted(1, "row"), counted(0, "row"), counted("1,200", "entry is", "entries are")
    ('1 row', '0 rows', '1,200 entries are')
    """
    return f"{number} {one if str(number) == '1' else many or one + 's'}"


def both(key: str, /, **values: Any) -> dict[str, str]:
    """Return a phrase of the catalogue in both languages.

    Parameters
    ----------
    key, **values
        As in `text`.

    Returns
    -------
    dict
        ``{"zh": …, "en": …}``

    Raises
    ------
    UsageError
        As in `text`.
    """
    return {language: text(key, language, **values) for language in LANGUAGES}


def same(written: object) -> dict[str, str]:
    """Return a text that both languages write alike (an id, a place), as a phrase in both.

    Parameters
    ----------
    written
        Anything; its text is taken.

    Returns
    -------
    dict
        ``{"zh": …, "en": …}``

    Examples
    --------
    >>> same("MASE")
    {'zh': 'MASE', 'en': 'MASE'}
    """
    return {language: str(written) for language in LANGUAGES}


def pair(declared: Any, name: str = "") -> dict[str, str]:
    """Return what a declaration or a row of a table is called in both languages.

    Parameters
    ----------
    declared
        An object with the attributes ``zh`` and ``en``, or a mapping that has them among its keys.
    name
        Where they are ``NAME_zh`` and ``NAME_en``.

    Returns
    -------
    dict
        ``{"zh": …, "en": …}``

    Examples
    --------
    >>> pair({"reason_zh": "洪水", "reason_en": "flood"}, "reason")
    {'zh': '洪水', 'en': 'flood'}
    """
    names = {language: f"{name}_{language}" if name else language for language in LANGUAGES}
    if isinstance(declared, Mapping):
        return {language: declared[key] for language, key in names.items()}
    return {language: getattr(declared, key) for language, key in names.items()}


def join(parts: Iterable[Mapping[str, str] | str], by: str = "list") -> dict[str, str]:
    """Return several phrases as one, joined as each language does.

    Parameters
    ----------
    parts
        Phrases in both languages, or texts that both write alike.
    by
        Which of the catalogue's ``common.separators``.

    Returns
    -------
    dict
        ``{"zh": …, "en": …}``

    Examples
    --------
    >>> join(["a", {"zh": "乙", "en": "b"}])
    {'zh': 'a、乙', 'en': 'a, b'}
    """
    phrases = [same(part) if isinstance(part, str) else part for part in parts]
    separator = both(f"common.separators.{by}")
    return {lang: separator[lang].join(phrase[lang] for phrase in phrases) for lang in LANGUAGES}


def section(prefix: str, language: Language | None = None) -> Any:
    """Return a part of the catalogue as it is nested in its file: column headings, the words of codes.

    Parameters
    ----------
    prefix
        A subject, or a path within one.
    language
        Give one to get phrases of that language; else an entry is ``{"zh": …, "en": …}``.

    Returns
    -------
    mapping or list
        Nested as declared. It is shared: do not change it.

    Raises
    ------
    UsageError
        If there is no such part; near keys are named.

    Examples
    --------
    >>> section("data.without", "en")["visits"]
    'there are no outcomes of visits and no label `confirmed`'
    """
    return _section(prefix) if language is None else _section_in(prefix, language)


@cache
def _section_in(prefix: str, language: Language) -> Any:
    return _only(_section(prefix), language)


@cache
def _section(prefix: str) -> Any:
    """Walk down to a part of the catalogue."""
    subject, *parts = prefix.split(".")
    if subject not in subjects():
        raise UsageError(_unknown(prefix, subject, subjects()))
    node = _subject(subject)
    for part in parts:
        names = [] if _is_entry(node) else _names(node)
        if part not in names:
            raise UsageError(_unknown(prefix, part, names))
        node = node[int(part)] if isinstance(node, list) else node[part]
    return node


def check_language(language: str) -> Language:
    """Return the language if there is one of that name.

    Parameters
    ----------
    language
        As a user typed it.

    Returns
    -------
    str
        ``zh`` or ``en``.

    Raises
    ------
    UsageError
        If it is another one.
    """
    if language not in LANGUAGES:
        raise UsageError(f"language {language!r} is unknown; allowed: {', '.join(LANGUAGES)}")
    return language


@cache
def subjects() -> tuple[str, ...]:
    """Return the subjects of the catalogue, one a file."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


@cache
def _subject(name: str) -> Any:
    path = FOLDER / f"{name}.yaml"
    return checked(read_yaml(path), path)


def checked(content: Any, where: str | Path) -> Any:
    """Return a subject with ``same`` written out; every entry must have both languages."""
    faults: list[str] = []
    node = _expanded(content, (), faults)
    if not isinstance(content, dict):
        faults.append("(top): write a mapping of entries")
    if faults:
        raise SpecError("\n".join(f"{where}: {fault}" for fault in faults))
    return node


def _expanded(node: Any, at: tuple[str, ...], faults: list[str]) -> Any:
    if isinstance(node, list):
        return [_expanded(part, (*at, str(i)), faults) for i, part in enumerate(node)]
    place = ".".join(at)
    if not isinstance(node, dict):
        faults.append(f"{place}: write {{zh: …, en: …}} (given: {node!r})")
        return node
    if not {*LANGUAGES, SAME} & set(node):
        wrong = [key for key in node if not isinstance(key, str) or "." in key]
        faults.extend(f"{place}: key {key!r} must be text without a dot" for key in wrong)
        return {str(key): _expanded(part, (*at, str(key)), faults) for key, part in node.items()}
    if set(node) == {SAME}:
        node = dict.fromkeys(LANGUAGES, node[SAME])
    if set(node) != set(LANGUAGES) or not all(isinstance(v, str) for v in node.values()):
        faults.append(f"{place}: needs zh and en, both text")
    return node


def entries(node: Any, at: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield key and words of every entry below a part of the catalogue."""
    if _is_entry(node):
        yield at, node
        return
    for name in _names(node):
        yield from entries(node[int(name)] if isinstance(node, list) else node[name], f"{at}.{name}")


def _is_entry(node: Any) -> bool:
    return isinstance(node, dict) and set(node) == set(LANGUAGES)


def _is_message(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {"key", "values"}


def _names(node: Any) -> list[str]:
    return [str(i) for i in range(len(node))] if isinstance(node, list) else list(node)


def _only(node: Any, language: Language) -> Any:
    if _is_entry(node):
        return node[language]
    if isinstance(node, list):
        return [_only(part, language) for part in node]
    return {name: _only(part, language) for name, part in node.items()}


def _in_language(value: Any, language: Language) -> Any:
    if isinstance(value, Message | Words):
        return value.text(language)
    return value[language] if isinstance(value, Mapping) else value


def _unknown(key: str, part: str, names: Iterator[str] | Any) -> str:
    meant = did_you_mean(part, names)
    return f"no words {key!r} in the catalogue: {part!r} is unknown{meant} (known: {', '.join(names)})"
