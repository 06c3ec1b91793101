"""Files as offices and researchers have them, read into a folder of the contract's tables."""

from riskmodel.importing.corrections import (
    Correction,
    kept_corrections,
    merge_corrections,
    read_corrections,
)
from riskmodel.importing.files import (
    ImportResult,
    Sheets,
    SourceAccount,
    guess_files,
    import_files,
    map_comments,
    missing_tables,
    question_as_dict,
    read_sheets,
    write_import,
)
from riskmodel.importing.guess import Question, SheetGuess
from riskmodel.importing.mapping import ImportMap, SheetMap, read_map, write_map
from riskmodel.importing.vocabulary import Vocabulary, vocabulary

__all__ = [
    "Correction",
    "ImportMap",
    "ImportResult",
    "Question",
    "SheetGuess",
    "SheetMap",
    "Sheets",
    "SourceAccount",
    "Vocabulary",
    "guess_files",
    "import_files",
    "kept_corrections",
    "map_comments",
    "merge_corrections",
    "missing_tables",
    "question_as_dict",
    "read_corrections",
    "read_map",
    "read_sheets",
    "vocabulary",
    "write_import",
    "write_map",
]
