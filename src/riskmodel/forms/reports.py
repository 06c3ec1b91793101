"""Reports of a month and a quarter with the last period beside, and the progress of townships.

Townships are compared by process alone: visits made, warnings answered, cases in time, records corrected.
Nothing counts how many households they find, eliminate or are expected to have.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import product

import pandas as pd

from riskmodel.data import contract
from riskmodel.forms.records import FormRecords, Record, day_text, phrase, word
from riskmodel.forms.tables import rows_of_problems
from riskmodel.households import known_county
from riskmodel.register import build_register_accounts
from riskmodel.rules import assess_scale_risk

LINES = (
    "opening",
    "identified",
    "rolled_back",
    "re_marked",
    "eliminated",
    "removed",
    "label_withdrawn",
    "closing",
)
BANDS = {"below_7000": (float("-inf"), 7000.0), "band_7": (7000.0, 8000.0), "band_8": (8000.0, 9000.0),
         "band_9": (9000.0, 10000.0), "from_10000": (10000.0, float("inf"))}  # fmt: skip
COUNTED = ("hh", "p", "visits")  # what has a unit of its own
Period = tuple[dt.date, dt.date]


def _quarter_before(first: dt.date) -> Period:
    """Return the quarter before the one that begins on a day."""
    return (pd.Timestamp(first) - pd.DateOffset(months=3)).date(), first - dt.timedelta(days=1)


def _figures(data: FormRecords, period: Period) -> Record:
    """Return the figures of a period, as known at the day spoken of."""
    first, last = (pd.Timestamp(day) for day in period)
    out: Record = {}
    if data.known.has("monitoring"):
        lines = build_register_accounts(data.known.county, period[0], period[1]).lines
        sums = lines[lines["stock"] == "open"].groupby("line")[["hh", "p"]].sum()
        for line, unit in product(LINES, ("hh", "p")):
            out[f"{line}_{unit}"] = int(sums[unit].get(line, 0))
        out["natural_up"] = int(sums["p"].get("natural_increase", 0))
        out["natural_down"] = int(sums["p"].get("natural_decrease", 0))
    for name, column in (("visits", "date"), ("support", "date"), ("warnings", "pushed_on")):
        frame = data.table(name)
        own = frame[pd.to_datetime(frame[column]).between(first, last)]
        out[name] = len(own)
        if name == "visits":
            out |= {k: int((own["outcome"] == k).sum()) for k in ("confirmed", "not_confirmed", "absent")}
        if name == "support":
            out["helped"] = int(own["household_id"].nunique())
        if name == "warnings":
            out["answered"] = int(own["result"].notna().sum())
    return out


def _with_previous(now: Record, before: Record) -> Record:
    """Return figures of a period and of the one before, and the differences with their sign."""
    page = {**now, **{f"{k}_before": v for k, v in before.items()}}
    for key, value in now.items():
        if isinstance(value, int) and isinstance(before.get(key), int):
            change = value - before[key]
            counted = key.rpartition("_")[2]
            unit = phrase(f"reports.units.{counted if counted in COUNTED else 'other'}")
            way = "up" if change > 0 else "down" if change else "level"
            page[f"{key}_change"] = phrase(f"reports.{way}", n=abs(change), unit=unit).strip()
    return page


def _measures(data: FormRecords, period: Period, before: Period) -> list[Record]:
    frame = data.table("support")
    codes = contract().tables["support"].columns["measure"].codes or {}
    days = pd.to_datetime(frame["date"])
    out = []
    for code in codes:
        of = frame["measure"] == code
        spans = [days.between(pd.Timestamp(p[0]), pd.Timestamp(p[1])) for p in (period, before)]
        counts = [int((of & span).sum()) for span in spans]
        if any(counts):
            out.append({"measure": word("support", "measure", code), "now": counts[0], "before": counts[1]})
    return out


def _waiting(data: FormRecords) -> list[Record]:
    from riskmodel.cases import declared

    open_ = data.cases[~data.cases["closed"]]
    out = []
    for role, words in declared().roles.items():
        own = open_[open_["waiting_for"] == role]
        if len(own) and role != "none":
            out.append({"role": words.zh, "cases": len(own), "late": int(own["late"].sum())})
    return out


def pages_of_month(data: FormRecords, params: Record) -> list[Record]:
    """Return the page of the monthly analysis (月分析), last month beside."""
    period = data.month
    before = ((period[0] - dt.timedelta(days=1)).replace(day=1), period[0] - dt.timedelta(days=1))
    page = _with_previous(_figures(data, period), _figures(data, before))
    watched = data.watched
    without = [h for h in watched if not data.of("support", h)]
    return [{
        **page, "from": day_text(period[0]), "to": day_text(period[1]), "before_from": day_text(before[0]),
        "before_to": day_text(before[1]),
        "month_text": phrase("reports.month", year=period[1].year, month=period[1].month),
        "without": len(without), "watched_now": len(watched), "problems": len(rows_of_problems(data, {})),
        "measures": _measures(data, period, before), "waiting": _waiting(data),
    }]  # fmt: skip


def _bands(homes: pd.DataFrame) -> Record:
    own = homes[(homes["registration"] == "lifted") | homes["in_register"]]
    out: Record = {"unknown": int(own["pcni"].isna().sum()), "concerned": len(own)}
    for name, (low, high) in BANDS.items():
        out[name] = int(((own["pcni"] >= low) & (own["pcni"] < high)).sum())
    known = own["pcni"].dropna()
    out["mean"] = round(float(known.mean())) if len(known) else 0
    return out


def pages_of_quarter(data: FormRecords, params: Record) -> list[Record]:
    """Return the page of the quarterly report (季报告): incomes reckoned, the last quarter's beside."""
    period = data.quarter
    before = _quarter_before(period[0])
    page = _with_previous(_figures(data, period), _figures(data, before))
    earlier = known_county(data.known.county, before[1]).accounts().to_pandas()
    page |= _with_previous(_bands(data.households), _bands(earlier))
    quarter = (period[1].month - 1) // 3 + 1
    return [{
        **page, "from": day_text(period[0]), "to": day_text(period[1]), "before_from": day_text(before[0]),
        "before_to": day_text(before[1]),
        "quarter_text": phrase("reports.quarter", year=period[1].year, quarter=quarter),
        "measures": _measures(data, period, before), "waiting": _waiting(data),
        "townships": rows_of_progress(data, {}),
    }]  # fmt: skip


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


SHARES = ("visited_share", "answered_share", "in_time_share", "clean_share")


def rows_of_progress(data: FormRecords, params: Record) -> list[Record]:
    """Rows of townships by how the work goes: visits, answers, limits kept, records corrected; best first.

    The order is the mean of the four shares, each of the same weight; a share of nothing is left out.
    """
    first, last = (pd.Timestamp(d) for d in data.month)
    visits = data.table("visits")
    done = set(visits.loc[pd.to_datetime(visits["date"]).between(first, last), "household_id"].astype(str))
    warnings, problems = data.rows("warnings"), {r["household_id"] for r in rows_of_problems(data, {})}
    open_ = data.cases[~data.cases["closed"]]
    out = []
    for township in dict.fromkeys(t for t, _ in data.villages):
        own = {h for h, home in data.homes.items() if home["township"] == township}
        due = own & set(data.to_visit)
        pushed = [w for w in warnings if w["household_id"] in own]
        cases = open_[open_["household_id"].isin(own)]
        kept = {h for h in own if data.homes[h]["in_register"] or data.homes[h]["registration"] == "lifted"}
        row: Record = {
            "township": township, "to_visit": len(due), "visited": len(due & done),
            "pushed": len(pushed), "answered": sum(bool(w["result"]) for w in pushed),
            "cases": len(cases), "late": int(cases["late"].sum()),
            "records": len(kept), "clean": len(kept - problems),
        }  # fmt: skip
        row["visited_share"] = _share(row["visited"], row["to_visit"])
        row["answered_share"] = _share(row["answered"], row["pushed"])
        row["in_time_share"] = _share(row["cases"] - row["late"], row["cases"])
        row["clean_share"] = _share(row["clean"], row["records"])
        shares = [row[s] for s in SHARES if row[s] is not None]
        row["process"] = sum(shares) / len(shares) if shares else None
        out.append(row)
    return _placed(out)


def _placed(rows: Sequence[Record]) -> list[Record]:
    ordered = sorted(rows, key=lambda r: (-(r["process"] or 0.0), r["township"]))
    values = [r["process"] or 0.0 for r in ordered]
    for row in ordered:
        row["place"] = 1 + sum(v > (row["process"] or 0.0) + 1e-12 for v in values)
        row["process_text"] = "" if row["process"] is None else f"{row['process']:.1%}"
    return ordered


def rows_of_scale_risk(data: FormRecords, params: Record) -> list[Record]:
    """Rows of townships with signs of a return to poverty on a larger scale (004 二(四))."""
    return records_of_frame(assess_scale_risk(data.known.county, data.as_of))


def records_of_frame(frame: pd.DataFrame) -> list[Record]:
    """Return the rows of a frame, missing values as None."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [{str(k): v for k, v in row.items()} for row in plain.to_dict("records")]
