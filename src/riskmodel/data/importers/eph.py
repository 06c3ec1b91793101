"""Argentina's EPH (Encuesta Permanente de Hogares): a rotating panel of households, 2003–2015.

A dwelling is interviewed in two quarters, left alone for two, and interviewed in two more; the file has one
row per dwelling and quarter. It is brought into the contract so:

* **Clock.** A quarter's row speaks of the quarter's last month and is known from that month's last day.
  Incomes are monthly figures, in pesos of the day, for an accounting period of one month.
* **Income.** ``ITF``, the household's total, is split into sources and always adds up to itself: work
  (``P21``, ``TOT_P12``) is ``wage``, or ``business_net`` where somebody works for himself and nobody for a
  wage; rents and interest are ``property``; pensions, severance, aid, scholarships and help are
  ``transfer``, and so is what the file does not name (5 % of all income; it also stands in the indicator
  ``income_unnamed``). An interview without income is a known 0; the file is net of production costs.
* **Coverage.** An interview's month is on record, no other is (``recorded``); an interview that gives no
  total is off record (``unrecorded``, ``no_answer``). A quarter without an interview is not judged by the one
  before (``max_lag_months: 0``).
* **Members.** The file counts persons, it does not list them. Only the head has a sex and an age; the
  others are imputed, as many as there are children (0–14), adults and old persons (65+), with an age in
  the middle of their band, because the contract wants a birth month. They make the number of persons right;
  nothing else should be read off them. Presence follows the counts: an imputed member is there from the first
  interview that counts it to the first that no longer does, and that end is recorded when it was found.
* **Another family.** The dwelling's number stays when a family moves out. Where the head's age jumps by
  less than −2 or more than +3 years between two interviews, or is not recorded, all members leave and
  others come: a label across such a change is null, because the household it spoke of is gone.
* **Place.** ``township`` is the statistical region. ``village`` is the dwelling: the file holds no smaller
  place, and the dwelling is what repeats, so resampling and held-out calibration go by it.
* **Weight.** ``PONDERA`` goes into ``households.weight``; persons × weight reproduces the national median.
* All else (work, schooling of the head, housing, strategies to get by) goes into ``indicators``; survey
  codes for "no answer" stay out.

References
----------
INDEC, Encuesta Permanente de Hogares, microdatos (the primary source; cite it); extracts as collected in
the public repositories ``podemosaprender/data_indec_eph`` and ``matuteiglesias/microdatos-EPH-INDEC``.
INDEC, EPH, Diseño de registro y estructura para las bases de microdatos (meaning of the columns).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from riskmodel.data.importers.registry import IMPORTERS, Importer
from riskmodel.errors import InputRefused
from riskmodel.io import first_line

_ABOUT = {
    # The series ends there; it cannot be inferred where most dwellings ever asked have left the panel.
    "data_through": "2015-06-30",
    "income_is_net": True,
    "max_lag_months": 0,
    "source": "INDEC (Argentina), Encuesta Permanente de Hogares, microdatos, extract of 20,000 dwellings",
    "licence": "open official microdata; cite INDEC as the primary source; terms of reuse not stated",
    "unit": "pesos a month, of the day",
}
REGIONS = {
    1: "Gran Buenos Aires",
    40: "Noroeste",
    41: "Nordeste",
    42: "Cuyo",
    43: "Pampeana",
    44: "Patagonia",
}
WORK = ("P21", "TOT_P12")
PROPERTY = ("V8_M", "V10_M")
# Indicator item to the file's column, for what is a number as it stands.
FIGURES = {
    "children": "ch", "old_persons": "old", "employed": "emp", "unemployed": "unemp", "informal": "inf",
    "self_employed": "selfemp", "wage_earners": "sal", "without_health_cover": "nocov",
    "inactive_ill": "inactive_ill", "head_age": "head_age", "income_second_job": "TOT_P12",
    "income_pension": "V2_M", "income_severance": "V3_M", "income_aid": "V5_M",
    "income_scholarship": "V11_M", "income_help": "V12_M",
}  # fmt: skip
# Yes-or-no questions: 1 yes, 2 no, anything else no answer.
QUESTIONS = {
    "got_aid": "V5", "got_aid_in_kind": "V6", "got_scholarship": "V11", "spent_savings": "V13",
    "borrowed_from_kin": "V14", "borrowed_from_bank": "V15", "bought_on_instalments": "V16",
    "sold_belongings": "V17",
}  # fmt: skip
# One code of a question against the rest: (column, codes that are 1, codes that are an answer).
CHOICES: dict[str, tuple[str, tuple[int, ...], tuple[int, ...]]] = {
    "head_woman": ("head_sex", (2,), (1, 2)),
    "head_employed": ("head_status", (1,), (1, 2, 3)),
    "head_unemployed": ("head_status", (2,), (1, 2, 3)),
    "home_owned": ("II7", (1, 2), tuple(range(1, 10))),
    "home_rented": ("II7", (3,), tuple(range(1, 10))),
    "home_no_house_or_flat": ("IV1", (3, 4, 5, 6), tuple(range(1, 7))),
    "home_flat": ("IV1", (2,), tuple(range(1, 7))),
    "floor_poor": ("IV3", (2, 3, 4), (1, 2, 3, 4)),
    "no_toilet": ("IV8", (2,), (1, 2)),
}
ROOMS = {"rooms": "II1", "bedrooms": "II2"}
NO_ANSWER_ROOMS = (0, 99)
# Years of schooling by the highest level: 1 primary begun, 2 done, 3 secondary begun, 4 done, 5 tertiary
# begun, 6 done, 7 none.
SCHOOL_YEARS = {1: 4, 2: 7, 3: 9, 4: 12, 5: 14, 6: 17, 7: 0}
OLD_FROM = 65
NO_ANSWER = "no_answer"
HEAD_AGE_CHANGE = (-2, 3)  # another family moved in where the head's age changes by less or more
REQUIRED = (
    "hid", "ANO4", "TRIMESTRE", "REGION", "PONDERA", "IX_TOT", "ITF", *WORK, *PROPERTY, "head_educ",
    *FIGURES.values(), *QUESTIONS.values(), *(c for c, _, _ in CHOICES.values()), *ROOMS.values(),
)  # fmt: skip


def read_eph(file: str | Path | None) -> pd.DataFrame:
    """Read an extract of the panel and check that it is one."""
    if file is None or not Path(file).is_file():
        raise InputRefused(f"{file}: cannot be read: no such file")
    try:
        frame = pd.read_csv(str(file))
    except (OSError, ValueError) as exc:
        raise InputRefused(f"{file}: cannot be read as CSV: {first_line(exc)}") from exc
    columns = list(dict.fromkeys(REQUIRED))
    missing = [c for c in columns if c not in frame]
    if missing:
        raise InputRefused(f"{file}: not an extract of the EPH: no column {', '.join(missing)}")
    text = [c for c in columns if not pd.api.types.is_numeric_dtype(frame[c])]
    if text:
        raise InputRefused(f"{file}: column {text[0]} holds something that is no number; mend the file")
    key = ["hid", "ANO4", "TRIMESTRE"]
    incomplete = frame[[*key, "IX_TOT"]].isna().any(axis=1) | ~frame["TRIMESTRE"].isin([1, 2, 3, 4])
    if incomplete.any():
        row = int(incomplete.to_numpy().argmax()) + 2
        raise InputRefused(f"{file}: row {row}: dwelling, year, quarter (1–4) and persons must be given")
    twice = frame.duplicated(key)
    if twice.any():
        raise InputRefused(
            f"{file}: row {int(twice.to_numpy().argmax()) + 2}: this dwelling has this quarter twice"
        )
    return frame[columns].sort_values(key, kind="stable", ignore_index=True)


def eph_tables(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Turn the panel into tables of the contract; the module's first lines say how."""
    t = frame.assign(
        household_id=frame["hid"].astype(int).astype(str),
        on=_quarter_end(frame),
        family=another_family(frame).groupby(frame["hid"]).cumsum(),
    )
    answered = t["ITF"].notna()
    tables = {
        "households": _households(t),
        "members": _members(t),
        "income": _income(t[answered]),
        "recorded": _interview_months(t[answered]),
        "indicators": _indicators(t),
    }
    if not answered.all():
        tables["unrecorded"] = _interview_months(t[~answered]).assign(why=NO_ANSWER)
    return tables


def another_family(frame: pd.DataFrame) -> pd.Series:
    """Say at which interviews another family than at the dwelling's interview before is found.

    Examples
    --------
    >>> ages = pd.DataFrame({"hid": [1, 1, 1, 2], "head_age": [40, 41, 30, 70]})
    >>> another_family(ages).tolist()
    [False, False, True, False]
    """
    change = frame.groupby("hid")["head_age"].diff()
    first = ~frame.duplicated("hid")
    return ~change.between(*HEAD_AGE_CHANGE) & ~first


def _quarter_end(t: pd.DataFrame) -> pd.Series:
    first = pd.to_datetime({"year": t["ANO4"], "month": 3 * t["TRIMESTRE"], "day": 1})
    return first + pd.offsets.MonthEnd(0)


def _households(t: pd.DataFrame) -> pd.DataFrame:
    region = t["REGION"].map(REGIONS).fillna(t["REGION"].astype("Int64").astype(str))
    return pd.DataFrame(
        {
            "household_id": t["household_id"],
            "township": region,
            "village": t["household_id"],
            "registration": "general",
            "weight": t["PONDERA"].astype(float),
            "valid_from": t["on"].dt.date,
            "recorded_on": t["on"].dt.date,
        }
    )


def _members(t: pd.DataFrame) -> pd.DataFrame:
    head_known = t["head_age"].notna()
    head_old = t["head_age"] >= OLD_FROM
    children, old = t["ch"].fillna(0), t["old"].fillna(0)
    counts = pd.DataFrame(
        {
            "head": head_known.astype(int),
            "adult": t["IX_TOT"] - children - old - (head_known & ~head_old),
            "child": children,
            "old": old - head_old,
        }
    ).astype(int)
    sex = t["head_sex"].map({1: "male", 2: "female"})
    return _imputed_members(t[["household_id", "on", "family"]], counts, t["head_age"], sex)


def _income(t: pd.DataFrame) -> pd.DataFrame:
    work = t[list(WORK)].fillna(0).sum(axis=1)
    own_account = (t["selfemp"] > 0) & (t["sal"] == 0)
    owned = t[list(PROPERTY)].fillna(0).sum(axis=1)
    by_source = pd.DataFrame(
        {
            "wage": work.where(~own_account, 0.0),
            "business_net": work.where(own_account, 0.0),
            "property": owned,
            "transfer": t["ITF"] - work - owned,
        }
    )
    rows = by_source.assign(household_id=t["household_id"], on=t["on"])
    rows = rows.melt(["household_id", "on"], var_name="source", value_name="amount")
    # A wage of 0 stays, so that an interview without income is a known 0 and not an unknown.
    rows = rows[rows["amount"].notna() & ((rows["amount"] != 0) | (rows["source"] == "wage"))]
    rows["month"] = rows["on"].dt.strftime("%Y-%m")
    rows["recorded_on"] = rows["on"].dt.date
    order = ["household_id", "month", "source", "amount", "recorded_on"]
    return rows[order].sort_values(order[:3], ignore_index=True)


def _interview_months(t: pd.DataFrame) -> pd.DataFrame:
    """Return one span of ``income`` an interview."""
    month = t["on"].dt.strftime("%Y-%m")
    spans = {"household_id": t["household_id"], "of": "income", "month_from": month, "month_to": month}
    return pd.DataFrame(spans | {"recorded_on": t["on"].dt.date}).reset_index(drop=True)


def _indicators(t: pd.DataFrame) -> pd.DataFrame:
    values = {item: t[column].astype(float) for item, column in FIGURES.items()}
    for item, column in QUESTIONS.items():
        values[item] = t[column].map({1: 1.0, 2: 0.0})
    for item, (column, yes, answers) in CHOICES.items():
        values[item] = t[column].isin(yes).astype(float).where(t[column].isin(answers))
    for item, column in ROOMS.items():
        values[item] = t[column].astype(float).where(~t[column].isin(NO_ANSWER_ROOMS))
    values["head_school_years"] = t["head_educ"].map(SCHOOL_YEARS).astype(float)
    named = t[[*WORK, *PROPERTY, "V2_M", "V3_M", "V5_M", "V11_M", "V12_M"]].sum(axis=1, min_count=1)
    values["income_unnamed"] = (t["ITF"] - named).clip(lower=0.0)
    wide = pd.DataFrame(values).assign(household_id=t["household_id"], date=t["on"].dt.date)
    rows = wide.melt(["household_id", "date"], var_name="item", value_name="value")
    rows = rows[np.isfinite(rows["value"])]
    rows["recorded_on"] = rows["date"]
    return rows.sort_values(["household_id", "date", "item"], ignore_index=True)


# Imputed ages: the middles of 0–14 and 15–64, and 75 for the open band from 65.
_BAND_AGE = {"adult": 40, "child": 7, "old": 75}


def _imputed_members(
    interviews: pd.DataFrame, counts: pd.DataFrame, head_age: pd.Series, head_sex: pd.Series
) -> pd.DataFrame:
    """Return rows of ``members`` for a panel that counts persons by band."""
    t = interviews.assign(head_age=head_age, sex=head_sex, turn=interviews.groupby("household_id").cumcount())
    present = _present(t, counts)
    runs = _runs(present)
    runs = runs.merge(
        t.drop(columns="family"), left_on=["household_id", "first"], right_on=["household_id", "turn"]
    )
    after = t[["household_id", "turn", "on"]].rename(columns={"turn": "gone", "on": "gone_on"})
    runs = runs.assign(gone=runs["last"] + 1).merge(after, on=["household_id", "gone"], how="left")
    is_head = runs["kind"] == "head"
    age = runs["head_age"].where(is_head, runs["kind"].map(_BAND_AGE))
    opened = pd.DataFrame(
        {
            "member_id": runs["member_id"],
            "household_id": runs["household_id"],
            "birth_month": _born(runs["on"], age),
            "sex": runs["sex"].where(is_head, None),
            "relation": is_head.map({True: "head", False: None}),
            "valid_from": runs["on"].dt.date,
            "valid_to": None,
            "recorded_on": runs["on"].dt.date,
        }
    )
    ended = runs["gone_on"].notna()
    end = runs.loc[ended, "gone_on"].dt.date
    closed = opened[ended].assign(valid_to=end, recorded_on=end)
    out = pd.concat([opened, closed], ignore_index=True)
    return out.sort_values(["household_id", "member_id", "valid_from", "recorded_on"], ignore_index=True)


def _present(t: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """Return one row per imputed member and interview at which it is there."""
    long = pd.concat([t[["household_id", "turn", "family"]], counts], axis=1)
    long = long.melt(["household_id", "turn", "family"], var_name="kind", value_name="n")
    long = long.loc[long.index.repeat(long["n"].clip(lower=0))]
    number = long.groupby(["household_id", "turn", "kind"]).cumcount() + 1
    family = long["family"].astype(int) + 1
    ids = long["household_id"] + "-" + family.astype(str) + "-" + long["kind"] + "-" + number.astype(str)
    return long.assign(member_id=ids)


def _runs(present: pd.DataFrame) -> pd.DataFrame:
    """Return unbroken runs of interviews: ``member_id, household_id, kind, first, last``."""
    p = present.sort_values(["member_id", "turn"])
    broken = p.groupby("member_id")["turn"].diff() != 1
    by = ["member_id", "household_id", "kind", broken.cumsum().rename("run")]
    return p.groupby(by)["turn"].agg(first="min", last="max").reset_index()


def _born(on: pd.Series, age: pd.Series) -> pd.Series:
    # Completed years say a birthday within twelve months; half a year earlier is the middle.
    months = on.dt.year * 12 + on.dt.month - 1 - age.astype(int) * 12 - 6
    return (months // 12).astype(str) + "-" + (months % 12 + 1).astype(str).str.zfill(2)


IMPORTERS.register(
    Importer(
        name="eph",
        title="Argentina's household panel (Encuesta Permanente de Hogares, INDEC).",
        read=read_eph,
        tables=eph_tables,
        about=_ABOUT,
        file="The panel as CSV, plain or gzipped.",
    )
)
