"""A county of nine households in three villages, each at another step, small enough to count by hand."""

from __future__ import annotations

import pandas as pd

from riskmodel.data import County
from riskmodel.data.frames import from_frames
from riskmodel.data.schema import About

AS_OF = "2021-06-15"
PLACES = {
    "h1": ("东乡", "上村"), "h2": ("东乡", "上村"), "h3": ("东乡", "下村"), "h4": ("西乡", "新村"),
    "h5": ("西乡", "新村"), "h6": ("西乡", "新村"), "h7": ("东乡", "下村"), "h8": ("西乡", "新村"),
    "h9": ("东乡", "下村"),
}  # fmt: skip
LIFTED = ("h1", "h4", "h8")
# Wages a month: by head and year 3,600; 3,000; 4,800; 12,000; 7,500; 4,200; 12,000; 9,600; 2,700.
WAGES = {
    "h1": 600,
    "h2": 500,
    "h3": 800,
    "h4": 2000,
    "h5": 1250,
    "h6": 700,
    "h7": 2000,
    "h8": 1600,
    "h9": 450,
}
PERSONS = dict.fromkeys(PLACES, 2)
# h1 watched; h2 on its way in, on publicity; h3 watched, elimination proposed and published; h4 eliminated;
# h5 nothing; h6 a warning that was not confirmed; h7 to be removed; h8 identified in the quarter, a birth;
# h9 confirmed by a visit, not yet applied.
REGISTER = (
    ("h1", "2020-03-01", "identified", "脱贫不稳定户", "illness;schooling"),
    ("h3", "2019-09-01", "identified", "边缘易致贫户", "accident"),
    ("h4", "2019-03-01", "identified", "脱贫不稳定户", "disaster"),
    ("h4", "2021-04-20", "eliminated", None, None),
    ("h7", "2020-01-10", "identified", "边缘易致贫户", "other"),
    ("h8", "2021-06-03", "identified", "脱贫不稳定户", "unstable_employment"),
)
PROCEDURE = (
    ("h2", "入户核查", "2021-06-01"), ("h2", "申请授权", "2021-06-02"), ("h2", "初步名单", "2021-06-03"),
    ("h2", "民主评议", "2021-06-05"), ("h2", "公示开始", "2021-06-07"),
    ("h3", "拟消除", "2021-05-20"), ("h3", "入户核查", "2021-05-22"), ("h3", "民主评议", "2021-05-25"),
    ("h3", "公示开始", "2021-05-26"), ("h3", "公示期满", "2021-06-03"), ("h3", "乡镇审核", "2021-06-05"),
    ("h7", "拟清退", "2021-06-10"),
)  # fmt: skip


def _households() -> pd.DataFrame:
    return pd.DataFrame([
        {
            "household_id": h, "township": t, "village": v, "group": "1组", "valid_from": "2018-01-01",
            "registration": "lifted" if h in LIFTED else "general", "housing_safe": h != "h2",
            "water_safe": True, "dibao": h == "h1", "tekun": False, "relocated": False,
            "lifted_year": 2018 if h in LIFTED else None,
        }
        for h, (t, v) in PLACES.items()
    ])  # fmt: skip


def _members() -> pd.DataFrame:
    rows = [
        {
            "member_id": f"{h}-{i}", "household_id": h, "birth_month": "1975-03" if i == 1 else "2011-09",
            "sex": "male" if i == 1 else "female", "relation": "head" if i == 1 else "child",
            "schooling": "none" if i == 1 else "compulsory",
            "health": "healthy" if h != "h1" else "major_illness",
            "disability_grade": 0, "work_capacity": "full" if i == 1 else "none", "insured": True,
            "valid_from": "2018-01-01", "change_reason": None,
        }
        for h, n in PERSONS.items()
        for i in range(1, n + 1)
    ]  # fmt: skip
    born = {**rows[-1], "member_id": "h8-3", "household_id": "h8", "birth_month": "2021-06",
            "schooling": "none", "valid_from": "2021-06-10", "change_reason": "新生儿"}  # fmt: skip
    return pd.DataFrame([*rows, born])


def small_frames() -> dict[str, pd.DataFrame]:
    """Return the tables."""
    months = [f"{year}-{month:02d}" for year in (2019, 2020) for month in range(1, 13)]
    months += [f"2021-{month:02d}" for month in range(1, 6)]
    income = [
        {"household_id": h, "month": m, "source": "wage", "amount": amount}
        for h, amount in WAGES.items()
        for m in months
    ]
    spending = [{"household_id": "h1", "month": "2021-02", "category": "medical", "amount": 9000}]
    return {
        "households": _households(),
        "members": _members(),
        "income": pd.DataFrame(income),
        "spending": pd.DataFrame(spending),
        "risk_events": pd.DataFrame(
            [("h1", "2021-02-10", "illness", 9000, "cadre_screening"),
             ("h2", "2021-04-03", "accident", 5000, "household_application"),
             ("h8", "2021-05-01", "unstable_employment", None, "cadre_screening")],
            columns=["household_id", "date", "cause", "loss", "channel"],
        ),
        "monitoring": pd.DataFrame(
            REGISTER, columns=["household_id", "date", "event", "category", "causes"]
        ),
        "support": pd.DataFrame(
            [("h1", "2020-04-01", "health", "illness", 3000),
             ("h3", "2019-10-01", "social_security", "accident", 900)],
            columns=["household_id", "date", "measure", "cause", "amount"],
        ),
        "visits": pd.DataFrame(
            [("h2", "2021-06-01", "confirmed", "accident", "model", "enter"),
             ("h6", "2021-06-04", "not_confirmed", None, "rule", "no_risk"),
             ("h5", "2021-06-08", "absent", None, "random", None),
             ("h9", "2021-06-12", "confirmed", "illness", "model", "enter")],
            columns=["household_id", "date", "outcome", "cause", "selected_by", "decision"],
        ),
        "warnings": pd.DataFrame(
            [("h6", "医保局", "2021-05-28", "2021-05-31", "2021-06-03", "2021-06-04", "不属实"),
             ("h5", "民政局", "2021-06-10", None, None, None, None)],
            columns=["household_id", "department", "pushed_on", "forwarded_on", "due_on", "checked_on",
                     "result"],
        ),
        "procedure": pd.DataFrame(PROCEDURE, columns=["household_id", "step", "date"]),
    }  # fmt: skip


def small_county(**further: pd.DataFrame) -> County:
    """Return the county; tables given by name replace its own."""
    about = About(coverage="whole", records_from="2019-01", data_through="2021-05-31")
    return from_frames({**small_frames(), **further}, about)
