"""Household data with exactly the counts that two offices published (sources 000 §1 and 000 §5)."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from riskmodel.data import County
from riskmodel.data.county import county_of_frames

CAUSES = (
    "illness", "disability", "unstable_employment", "industry_failure", "accident", "schooling", "epidemic",
    "disaster", "other",
)  # fmt: skip
# Households and persons of each category by main cause, then in total.
BY_CAUSE = {
    "marginal": (
        (457, 1088), (161, 347), (22, 51), (5, 9), (17, 37), (2, 7), (31, 89), (235, 439), (56, 106),
        (986, 2173),
    ),
    "unstable_lifted": (
        (185, 437), (67, 159), (57, 172), (4, 16), (10, 32), (4, 17), (12, 25), (1, 3), (202, 466),
        (542, 1327),
    ),
}  # fmt: skip
DYNAMIC = {
    "identified": {"unstable_lifted": (17, 57), "marginal": (8, 27)},
    "eliminated": {"unstable_lifted": (582, 2209), "marginal": (192, 702)},
    "remaining": {"unstable_lifted": (245, 894), "marginal": (125, 440)},
}
# Persons who came and went in the quarter; the office gave reasons for marginal households alone.
INCREASE = {
    "unstable_lifted": {"unstated": 42},
    "marginal": {"born": 2, "married_in": 2, "moved_in": 3, "released": 3, "registered": 1, "other": 2},
}
DECREASE = {
    "unstable_lifted": {"unstated": 67},
    "marginal": {"died": 24, "married_out": 2, "imprisoned": 14, "moved_out": 2},
}
EXTINCT = 4  # marginal households of which nobody was left, struck off in the quarter
WORDS = {
    "born": "新生儿", "married_in": "婚入", "moved_in": "户籍迁入", "released": "判刑释放",
    "registered": "补办户籍",
    "other": "其他自然增加", "died": "死亡", "married_out": "婚出", "imprisoned": "判刑收监",
    "moved_out": "户籍迁出",
    "unstated": None,
}  # fmt: skip
REGISTERED_PERSONS = 34118  # 1334 remaining persons are 3.91 per cent of them
LONG_AGO, CHANGE, ENTRY, END, LAST = "2019-06-01", "2020-02-10", "2020-03-01", "2020-03-15", "2020-03-20"
REGISTRATION = {"unstable_lifted": "lifted", "marginal": "general"}


def sizes(households: int, persons: int) -> list[int]:
    """Return household sizes that add up, as even as can be."""
    small, more = divmod(persons, households)
    return [small + (i < more) for i in range(households)]


class Book:
    """Collects rows of the contract's tables."""

    def __init__(self) -> None:
        self.homes: list[dict] = []
        self.members: list[dict] = []
        self.register: list[dict] = []

    def home(self, category: str, persons: int) -> str:
        """Add a household with members present for long, and return its id."""
        home = f"h{len(self.homes):05d}"
        self.homes.append(
            {"household_id": home, "township": f"乡{len(self.homes) % 3}", "village": "村",
             "registration": REGISTRATION[category], "valid_from": "2019-01-01"}
        )  # fmt: skip
        for _ in range(persons):
            self.member(home, "2019-01-01")
        return home

    def member(self, home: str, since: str, until: str | None = None, reason: str | None = None) -> None:
        """Add a member."""
        self.members.append(
            {"member_id": f"m{len(self.members):06d}", "household_id": home, "birth_month": "1980-01",
             "valid_from": since, "valid_to": until, "change_reason": reason}
        )  # fmt: skip

    def act(
        self, home: str, date: str, event: str, category: str | None = None, causes: str | None = None
    ) -> None:
        """Add a register row."""
        self.register.append(
            {"household_id": home, "date": date, "event": event, "category": category, "causes": causes}
        )

    def county(self) -> County:
        """Return the county."""
        income = [
            {"household_id": self.homes[0]["household_id"], "month": "2020-02", "source": "wage", "amount": 1}
        ]
        frames = {
            "households": self.homes,
            "members": self.members,
            "income": income,
            "monitoring": self.register,
        }
        return county_of_frames({name: pd.DataFrame(rows) for name, rows in frames.items()})


def by_cause() -> County:
    """Return households identified with exactly the causes of 000 §1."""
    book = Book()
    for category, counts in BY_CAUSE.items():
        for cause, (households, persons) in zip(CAUSES, counts[:-1], strict=True):
            for size in sizes(households, persons):
                home = book.home(category, size)
                book.act(
                    home,
                    LONG_AGO,
                    "identified",
                    "边缘易致贫户" if category == "marginal" else category,
                    cause,
                )
    return book.county()


def quarter() -> County:
    """Return a register that did in one quarter exactly what 000 §5 tells."""
    book = Book()
    for category in ("unstable_lifted", "marginal"):
        _identified(book, category)
        _eliminated(book, category)
        _kept(book, category)
    lifted = sum(m["household_id"] in _lifted(book) for m in book.members if m["valid_to"] is None)
    for size in sizes(300, REGISTERED_PERSONS - lifted):
        book.home("unstable_lifted", size)
    return book.county()


def _lifted(book: Book) -> set[str]:
    if not hasattr(book, "_lifted"):
        book._lifted = {h["household_id"] for h in book.homes if h["registration"] == "lifted"}
    return book._lifted


def _identified(book: Book, category: str) -> None:
    for size in sizes(*DYNAMIC["identified"][category]):
        book.act(book.home(category, size), ENTRY, "identified", category, "illness")


def _eliminated(book: Book, category: str) -> None:
    for size in sizes(*DYNAMIC["eliminated"][category]):
        home = book.home(category, size)
        book.act(home, LONG_AGO, "identified", category, "illness")
        book.act(home, END, "eliminated")


def _kept(book: Book, category: str) -> None:
    """Add the households that stay watched; all who came or went in the quarter did so here."""
    coming, going = _each(INCREASE[category]), _each(DECREASE[category])
    (left, persons), (new, newly) = DYNAMIC["remaining"][category], DYNAMIC["identified"][category]
    stay = sizes(left - new, persons - newly - sum(INCREASE[category].values()))
    homes = [book.home(category, size) for size in stay]
    for home in homes:
        book.act(home, LONG_AGO, "identified", category, "disaster")
    if category == "marginal":
        for _ in range(EXTINCT):
            home = book.home(category, 0)
            book.member(home, "2019-01-01", CHANGE, WORDS[next(going)])
            book.act(home, LONG_AGO, "identified", category, "illness")
            book.act(home, LAST, "removed")
    for i, reason in enumerate(coming):
        book.member(homes[i % len(homes)], CHANGE, None, WORDS[reason])
    for i, reason in enumerate(going):
        book.member(homes[i % len(homes)], "2019-01-01", CHANGE, WORDS[reason])


def _each(counts: dict[str, int]) -> Iterator[str]:
    return (reason for reason, n in counts.items() for _ in range(n))
