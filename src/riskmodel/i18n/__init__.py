"""Words and sentences of every output, in Chinese and English: one catalogue, one loader.

The catalogue is the folder ``words/``: one YAML file a subject. Computing layers return codes, numbers
and `Message`; sentences are made where they are written out.
"""

from riskmodel.i18n.catalogue import (
    LANGUAGES,
    Language,
    Message,
    Words,
    both,
    check_language,
    counted,
    fill,
    join,
    pair,
    same,
    section,
    subjects,
    text,
)
from riskmodel.i18n.nouns import Nouns, every_noun, nouns_of
from riskmodel.i18n.sentences import Sentences, sentences_of, speaking, spoken_language, translate

__all__ = [
    "LANGUAGES",
    "Language",
    "Message",
    "Nouns",
    "Sentences",
    "Words",
    "both",
    "check_language",
    "counted",
    "every_noun",
    "fill",
    "join",
    "nouns_of",
    "pair",
    "same",
    "section",
    "sentences_of",
    "speaking",
    "spoken_language",
    "subjects",
    "text",
    "translate",
]
