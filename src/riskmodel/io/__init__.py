"""Reading and writing files and declarations; where they are."""

from riskmodel.io.arguments import check_arguments
from riskmodel.io.checkpoints import Checkpoints, folder_digest, inputs_digest
from riskmodel.io.engines import base_tables, open_database, open_engine, parquet_path, views
from riskmodel.io.files import (
    ENDINGS,
    FORMULA_SIGNS,
    atomic,
    collect_backups,
    column_values,
    file_digest,
    first_line,
    keep_office_file,
    office_file,
    read_table,
    records,
    refuse_open_file,
    refuse_open_files,
    remove_stale_office_files,
    safe_text,
    writable,
    write_csv,
    write_json,
    write_table,
    write_text,
    written_files,
)
from riskmodel.io.limits import limit_resources, memory_limit, resource_limits
from riskmodel.io.locks import folder_lock
from riskmodel.io.paths import DEFAULT_STORE, entries_within, find_declaration, folder
from riskmodel.io.registry import Registry
from riskmodel.io.scratch import ScratchFolder
from riskmodel.io.specs import Spec, load_spec, parse_spec, read_yaml
from riskmodel.io.templates import template_faults, text_templates, word_templates
from riskmodel.io.workbook import new_workbook, write_cell, write_frame

__all__ = [
    "DEFAULT_STORE",
    "ENDINGS",
    "FORMULA_SIGNS",
    "Checkpoints",
    "Registry",
    "ScratchFolder",
    "Spec",
    "atomic",
    "base_tables",
    "check_arguments",
    "collect_backups",
    "column_values",
    "entries_within",
    "file_digest",
    "find_declaration",
    "first_line",
    "folder",
    "folder_digest",
    "folder_lock",
    "inputs_digest",
    "keep_office_file",
    "limit_resources",
    "load_spec",
    "memory_limit",
    "new_workbook",
    "office_file",
    "open_database",
    "open_engine",
    "parquet_path",
    "parse_spec",
    "read_table",
    "read_yaml",
    "records",
    "refuse_open_file",
    "refuse_open_files",
    "remove_stale_office_files",
    "resource_limits",
    "safe_text",
    "template_faults",
    "text_templates",
    "views",
    "word_templates",
    "writable",
    "write_cell",
    "write_csv",
    "write_frame",
    "write_json",
    "write_table",
    "write_text",
    "written_files",
]
