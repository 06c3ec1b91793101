"""The life-cycle ledger of the register, the tables that offices publish, and the check of a printed one."""

from riskmodel.register.build import Ledger, build, tables
from riskmodel.register.check import check, check_text
from riskmodel.register.county_tables import band_names
from riskmodel.register.export import figures, lookup, published, summary
from riskmodel.register.office import ALL, ANY, declared
from riskmodel.register.words import UNKNOWN, Lang, book, category_name, check_lang, code_name, phrase

__all__ = [
    "ALL",
    "ANY",
    "UNKNOWN",
    "Lang",
    "Ledger",
    "band_names",
    "book",
    "build",
    "category_name",
    "check",
    "check_lang",
    "check_text",
    "code_name",
    "declared",
    "figures",
    "lookup",
    "phrase",
    "published",
    "summary",
    "tables",
]
