"""Which household quantities a rule set's conditions look at, and what they are called."""

from __future__ import annotations

from riskmodel.i18n import Language
from riskmodel.rules.declaration import Clause, RuleSet, vocabulary
from riskmodel.rules.expression import names, parse_expression


def used_quantities(ruleset: RuleSet, expression: str) -> list[str]:
    """Return the quantities behind an expression, looking through helpers and other conditions."""
    out: list[str] = []
    for name in sorted(names(parse_expression(expression))):
        inner: Clause | None = ruleset.quantities.get(name) or ruleset.conditions.get(name)
        if inner is not None:
            out += used_quantities(ruleset, inner.when)
        elif name in vocabulary().quantities:
            out.append(name)
    order = list(vocabulary().quantities)
    return sorted(set(out), key=order.index)


def condition_quantities(ruleset: RuleSet) -> dict[str, list[str]]:
    """Return the household quantities that each condition of a rule set looks at.

    Parameters
    ----------
    ruleset
        A loaded set.

    Returns
    -------
    dict
        Condition id to names of the vocabulary; conditions of a review (what an elimination needs) are left
        out, and so are rows that a condition looks through.

    Examples
    --------
    >>> from riskmodel.rules import load_rules
    >>> condition_quantities(load_rules("national-2021"))["below_line"]
    ['pcni', 'line']
    """
    conditions = ruleset.conditions.items()
    return {name: used_quantities(ruleset, c.when) for name, c in conditions if c.applies is None}


def name_quantity(quantity: str, value: object, lang: Language) -> str:
    """Return a household quantity with its name and unit.

    Parameters
    ----------
    quantity
        A name of the vocabulary.
    value
        Its value; None where it is not known.
    lang
        ``zh`` or ``en``.

    Examples
    --------
    >>> name_quantity("wage_months", 4, "en")
    'months with wages 4'
    """
    return vocabulary().quantities[quantity].named(value, lang)


def quantity_words(quantity: str, lang: Language) -> str:
    """Return what a household quantity is called.

    Parameters
    ----------
    quantity
        A name of the vocabulary.
    lang
        ``zh`` or ``en``.

    Examples
    --------
    >>> quantity_words("spending_medical", "en")
    'own medical spending'
    """
    return vocabulary().quantities[quantity].text(lang)
