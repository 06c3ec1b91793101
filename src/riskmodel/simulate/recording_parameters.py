"""How an office writes down what happens: how late, how often wrongly, and what households report.

Part of a county's parameters (`riskmodel.simulate.parameters`).
"""

from __future__ import annotations

from pydantic import Field

from riskmodel.io import Spec


class Channel(Spec):
    """One way in which events come to be known: its share of them, and how many days it takes on average."""

    share: float = Field(ge=0, le=1)
    mean_days: float = Field(gt=0)


class UnluckyMonths(Spec):
    """Months of bad luck that are written up later than others.

    Those of an adverse event and the ``months`` − 1 after it, and those up to which a quarter's income is
    ``fall`` below that of the year before. A ``share`` of them waits ``mean_days`` (cut at ``most_days``).
    """

    share: float = Field(ge=0, le=1)
    mean_days: float = Field(gt=0)
    fall: float = Field(gt=0, lt=1)
    months: int = Field(ge=1)


class CeasingRecords(Spec):
    """Households that are written up no longer once their wages end.

    Wages end where two months are ``below`` a share of the half-year before. A ``share`` of those households
    falls silent, ``for_good`` of it for good, the rest for ``months``; what is silent is never written up.
    """

    below: float = Field(gt=0, le=1)
    share: float = Field(ge=0, le=1)
    for_good: float = Field(ge=0, le=1)
    months: tuple[int, int]


class Misreporting(Spec):
    """Households that report less than they earn, and round figures for amounts.

    A ``share`` of households reports a part of its wages and sales, between the ends of ``reported``; each
    January a share ``anew`` of all is drawn again. Both are rounded to ``rounded`` yuan (0: to one).
    """

    share: float = Field(ge=0, le=1)
    reported: tuple[float, float]
    anew: float = Field(ge=0, le=1)
    rounded: int = Field(default=0, ge=0)


class Recording(Spec):
    """How late, and how often first wrongly, the office writes things down; whether it says what it has.

    ``unlucky`` and ``ceasing`` are modes in which absence tells of a household: such an office promises no
    delay in ``about.yaml``. Without ``states_coverage`` there is no table ``recorded``. Amounts below
    ``least_amount`` make no row: then there are months on record of which nothing is to be seen. With
    ``misreporting`` books and labels alike are of what is reported.
    """

    prompt: float
    mean_days: float
    most_days: int
    event_mean_days: float
    channels: dict[str, Channel]
    corrected: float
    least_amount: int = Field(default=0, ge=0)
    states_coverage: bool = True
    unlucky: UnluckyMonths | None = None
    ceasing: CeasingRecords | None = None
    misreporting: Misreporting | None = None

    @property
    def tells(self) -> bool:
        """Whether what is not written up tells of a household."""
        return self.unlucky is not None or self.ceasing is not None
