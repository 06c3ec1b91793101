"""Stock and flow accounts of the register, the tables that offices publish, and checks of printed ones."""

from riskmodel.register.accounts import (
    PLACE_SIGN,
    RegisterAccounts,
    accounts_as_dict,
    build_register_accounts,
    counts_by_key,
    dates_in_words,
    published_form,
    summarise_accounts,
)
from riskmodel.register.empty_households import NATURAL_CHANGE, TO_CLARIFY, find_empty_households
from riskmodel.register.office_tables import ALL, ANY, income_bands, office_table_specs
from riskmodel.register.published_check import check_published, describe_check
from riskmodel.register.vocabulary import (
    UNKNOWN,
    category_code,
    category_name,
    change_reason,
    code_name,
    phrase,
    register_vocabulary,
)

__all__ = [
    "ALL",
    "ANY",
    "NATURAL_CHANGE",
    "PLACE_SIGN",
    "TO_CLARIFY",
    "UNKNOWN",
    "RegisterAccounts",
    "accounts_as_dict",
    "build_register_accounts",
    "category_code",
    "category_name",
    "change_reason",
    "check_published",
    "code_name",
    "counts_by_key",
    "dates_in_words",
    "describe_check",
    "find_empty_households",
    "income_bands",
    "office_table_specs",
    "phrase",
    "published_form",
    "register_vocabulary",
    "summarise_accounts",
]
