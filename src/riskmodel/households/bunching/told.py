"""What `riskmodel check` says of heaped incomes, in both languages."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd

from riskmodel.data import County, Further
from riskmodel.households.bunching.density import Heaps, Threshold, heaps
from riskmodel.i18n import LANGUAGES, Language, text

TESTS_FILE, HOUSEHOLDS_FILE = "heaps.csv", "heaped.csv"


def check_heaps(thresholds: Mapping[str, Threshold]) -> Callable[[County], Further]:
    """Return the check of heaped incomes as `riskmodel.data.check` takes it.

    Parameters
    ----------
    thresholds : mapping
        As `heaps` takes them.

    Returns
    -------
    callable
        County to `Further`: key ``heaps`` with ``looks, smallest_p, warned`` (the rows that warn) and
        ``listed`` (household-years); files ``heaps.csv`` (every test) and ``heaped.csv`` (who is listed).
    """

    def further(county: County) -> Further:
        found = heaps(county, thresholds)
        looks = len(found.tests)
        figures = {
            "looks": looks,
            "smallest_p": float(found.tests["p_adjusted"].min()) if looks else None,
            "warned": [{str(k): v for k, v in row.items()} for row in found.warned.to_dict("records")],
            "listed": len(found.households),
        }
        told = {language: sentences(found, language) for language in LANGUAGES}
        return Further("heaps", figures, told, {TESTS_FILE: found.tests, HOUSEHOLDS_FILE: found.households})

    return further


def sentences(found: Heaps, lang: Language) -> list[str]:
    """Say in a line each what the tests found; the smallest p-value where they found nothing.

    Parameters
    ----------
    found : Heaps
    lang : {"zh", "en"}

    Returns
    -------
    list of str
    """
    if len(found.tests) and not len(found.warned):
        least = float(found.tests["p_adjusted"].min())
        return [text("data.quality.no_heap", lang, n=len(found.tests), p=least)]
    # One sentence a place and threshold: the window that speaks loudest.
    best = found.warned.sort_values("p").drop_duplicates(["scope", "place", "threshold"])
    return [_sentence(row, lang) for _, row in best.sort_values(["scope", "place"]).iterrows()]


def _sentence(row: pd.Series, lang: Language) -> str:
    below = row["side"] == "below"
    both = row["below"] + row["above"]
    places = {
        "place": row["place"] or text("data.quality.heap_place", lang),
        "side": text(f"data.quality.heap_{row['side']}", lang),
        "there": row[row["side"]],
        "expected": both * (row["share_expected"] if below else 1 - row["share_expected"]),
    }
    named = {k: row[k] for k in ("threshold", "window", "years")}
    return text("data.quality.heap", lang, **places, **named, amount=f"{row['line']:g}", p=row["p_adjusted"])
