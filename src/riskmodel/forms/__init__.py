"""Forms and reports of the official documents, filled from a county's data; no score can enter one."""

from riskmodel.forms.declaration import available_forms
from riskmodel.forms.first_use import read_signature, record_signature
from riskmodel.forms.records import DEFAULT_RULES, FormRecords, OfMonth, read_month
from riskmodel.forms.templates import write_form_templates
from riskmodel.forms.write import WrittenForm, write_forms

__all__ = [
    "DEFAULT_RULES",
    "FormRecords",
    "OfMonth",
    "WrittenForm",
    "available_forms",
    "read_month",
    "read_signature",
    "record_signature",
    "write_form_templates",
    "write_forms",
]
