"""The life-cycle ledger of the register, the tables that offices publish, and the check of a printed one."""

from riskmodel.register.build import Ledger, build, tables
from riskmodel.register.check import check, check_text
from riskmodel.register.figures import figures, published, summary

__all__ = ["Ledger", "build", "check", "check_text", "figures", "published", "summary", "tables"]
