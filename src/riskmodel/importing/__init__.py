"""Files as offices and researchers have them, read into a folder of the contract's tables."""

from riskmodel.importing.corrections import (
    Correction,
    merge_corrections,
    read_corrections,
    stored_corrections,
)
from riskmodel.importing.destination import keep_earlier_file, refuse_destination
from riskmodel.importing.files import (
    ImportResult,
    SourceAccount,
    guess_files,
    import_files,
    import_sheets,
    map_comments,
    missing_tables,
    question_as_dict,
    skip_reason,
)
from riskmodel.importing.guess import SheetGuess
from riskmodel.importing.guess_columns import Question
from riskmodel.importing.mapping import ImportMap, SheetMap, map_text, read_map, write_map
from riskmodel.importing.panel_import import IMPORTERS, PanelImport, import_panel, import_panel_file
from riskmodel.importing.panel_map import PanelMap, read_panel_map
from riskmodel.importing.reading_report import write_import
from riskmodel.importing.sources import Sheets, read_sheets
from riskmodel.importing.template import template_sheets, write_template
from riskmodel.importing.vocabulary import Vocabulary, vocabulary

__all__ = [
    "IMPORTERS",
    "Correction",
    "ImportMap",
    "ImportResult",
    "PanelImport",
    "PanelMap",
    "Question",
    "SheetGuess",
    "SheetMap",
    "Sheets",
    "SourceAccount",
    "Vocabulary",
    "guess_files",
    "import_files",
    "import_panel",
    "import_panel_file",
    "import_sheets",
    "keep_earlier_file",
    "map_comments",
    "map_text",
    "merge_corrections",
    "missing_tables",
    "question_as_dict",
    "read_corrections",
    "read_map",
    "read_panel_map",
    "read_sheets",
    "refuse_destination",
    "skip_reason",
    "stored_corrections",
    "template_sheets",
    "vocabulary",
    "write_import",
    "write_map",
    "write_template",
]
