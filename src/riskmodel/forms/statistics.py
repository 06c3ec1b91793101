"""统计表 附件3 by village, township and county: every level is the sum of the level below it.

The register's part is counted village by village as the ledger counts townships, and refused where closing is
not opening plus what came less what went.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from riskmodel.data import contract
from riskmodel.errors import InputRefused
from riskmodel.forms.records import FormRecords, Record, phrase
from riskmodel.forms.tables import list_members
from riskmodel.register import PLACE_SIGN, build_register_accounts, category_name

FLOWS = (
    "opening", "identified", "rolled_back", "re_marked", "unidentified", "reclassified_in",
    "eliminated", "removed", "label_withdrawn", "reclassified_out", "closing",
)  # fmt: skip
IN = ("identified", "rolled_back", "re_marked", "unidentified", "reclassified_in")
OUT = ("eliminated", "removed", "label_withdrawn", "reclassified_out")
UNITS = ("hh", "p")
NATURAL = ("natural_increase", "natural_decrease")
BANDS = ("7000-8000", "8000-9000", "9000-10000")


def with_levels(rows: Sequence[Record], keys: Sequence[str], first: str = "") -> list[Record]:
    """Return rows of villages with the sums of each township and of the county before them.

    Parameters
    ----------
    rows
        One a village (and value of ``first``): ``township, village`` and the keys.
    keys
        What is added up; what is missing in a village counts as nothing there.
    first
        A further key by which sums stay apart, such as the category.
    """
    frame = pd.DataFrame(rows)
    if frame.empty:
        return []
    by = [first] if first else []
    frame[list(keys)] = frame[list(keys)].fillna(0)
    out: list[Record] = []
    out += _sums(frame, by, keys, phrase("levels.county"), "")
    for township, part in frame.groupby("township", sort=True):
        out += _sums(part, by, keys, str(township), phrase("levels.subtotal"))
        for village, own in part.groupby("village", sort=True):
            out += [
                {**r, "township": township}
                for r in _sums(own, by, keys, str(township), str(village), total=False)
            ]
    return out


def _sums(
    frame: pd.DataFrame,
    by: list[str],
    keys: Sequence[str],
    township: str,
    village: str,
    *,
    total: bool = True,
) -> list[Record]:
    head = {"township": township, "village": village, "is_total": total}
    if not by:
        return [{**head, **{k: int(frame[k].sum()) for k in keys}}]
    summed = frame.groupby(by[0], sort=False)[list(keys)].sum()
    return [{**head, by[0]: name, **{k: int(v) for k, v in zip(keys, row, strict=True)}}
            for name, row in zip(summed.index, summed.to_numpy(), strict=True)]  # fmt: skip


def village_lines(data: FormRecords) -> pd.DataFrame:
    """Return the register's lines of the quarter by village: ``township, village, category, line, hh, p``.

    Raises
    ------
    InputRefused
        If a village's closing is not its opening plus what came less what went.
    """
    accounts = build_register_accounts(data.known, *data.quarter, by="village")
    lines = accounts.lines[accounts.lines["stock"] == "open"].copy()
    lines[["township", "village"]] = lines["township"].str.split(PLACE_SIGN, n=1, expand=True)
    return lines


def rows_of_stocks(data: FormRecords, params: Mapping[str, Any]) -> list[Record]:
    """Households and persons under watch: opening, what came and went, closing, by category and in all."""
    lines = village_lines(data)
    total = phrase("levels.total")
    wide = lines.pivot_table(
        index=["township", "village", "category"],
        columns="line",
        values=["hh", "p"],
        aggfunc="sum",
        fill_value=0,
    )
    rows = []
    for place, values in wide.iterrows():
        township, village, category = map(str, place)  # type: ignore[call-overload]
        row: Record = {
            f"{line}_{unit}": int(values.get((unit, line), 0))
            for unit in UNITS
            for line in (*FLOWS, *NATURAL)
        }
        row |= {f"cleared_{unit}": row[f"removed_{unit}"] + row[f"label_withdrawn_{unit}"] for unit in UNITS}
        rows.append(
            {"township": township, "village": village, "category": category_name(category, "zh"), **row}
        )
    counted = {(r["township"], r["village"]) for r in rows}
    for township, village in data.villages:
        # A village without anybody under watch stands in the table, with zeros.
        if (township, village) not in counted:
            rows.append({"township": township, "village": village, "category": total, "empty": True})
    keys = [f"{line}_{unit}" for line in (*FLOWS, *NATURAL, "cleared") for unit in UNITS]
    every = [dict(r, category=total) for r in rows]
    parts = [r for r in rows if not r.get("empty")]
    out = with_levels([*every, *parts], keys, "category")
    for row in out:
        check_closing(row)
    return [r for r in out if r["is_total"] or r["category"] == total or r["closing_hh"] or r["opening_hh"]]


def check_closing(row: Mapping[str, Any]) -> None:
    """Refuse a row whose closing is not its opening plus what came less what went.

    Raises
    ------
    InputRefused
        The message names the place and both figures.
    """
    for unit in UNITS:
        should = (
            row[f"opening_{unit}"]
            + sum(row[f"{n}_{unit}"] for n in IN)
            - sum(row[f"{n}_{unit}"] for n in OUT)
        )
        if unit == "p":
            should += row["natural_increase_p"] - row["natural_decrease_p"]
        if row[f"closing_{unit}"] != should:
            where = f"{row['township']}{row['village']} {row.get('category', '')}"
            raise InputRefused(
                f"{where}: closing {row[f'closing_{unit}']} {unit}, but opening, in and out give {should}"
            )


def _by_village(data: FormRecords, counted: Mapping[str, Sequence[str]]) -> list[Record]:
    """Return households and persons of each village for every key of lists of households."""
    rows: dict[tuple[str, str], Record] = {
        (township, village): {"township": township, "village": village} for township, village in data.villages
    }
    keys = [f"{key}_{unit}" for key in counted for unit in UNITS]
    for row in rows.values():
        row.update(dict.fromkeys(keys, 0))
    for key, households in counted.items():
        for household in households:
            home = data.homes[household]
            row = rows[home["township"], home["village"]]
            row[f"{key}_hh"] += 1
            row[f"{key}_p"] += int(home["persons"])
    return with_levels(list(rows.values()), keys)


def rows_of_visits(data: FormRecords, params: Mapping[str, Any]) -> list[Record]:
    """Households to visit, visited in the month, and what was found."""
    visits = data.table("visits")
    first, last = (pd.Timestamp(day) for day in data.month)
    now = visits[visits["date"].between(first, last)] if len(visits) else visits
    latest = now.drop_duplicates("household_id", keep="last")
    of = {str(outcome): list(part) for outcome, part in latest.groupby("outcome")["household_id"]}
    known = {
        k: [h for h in of.get(k, []) if h in data.homes] for k in ("confirmed", "not_confirmed", "absent")
    }
    return _by_village(data, {
        "all": list(data.homes), "to_visit": data.to_visit,
        "visited": [h for part in known.values() for h in part], **known,
    })  # fmt: skip


def rows_of_lists(data: FormRecords, params: Mapping[str, Any]) -> list[Record]:
    """Rows of the eight initial lists, in households and persons; of list 8 each household once."""
    lists = list_members(data)
    return _by_village(data, {
        f"list{n}": list(dict.fromkeys(r["household_id"] for r in rows)) for n, rows in lists.items()
    })  # fmt: skip


def rows_of_causes(data: FormRecords, params: Mapping[str, Any]) -> list[Record]:
    """Households under watch by main cause."""
    causes = list(contract().tables["risk_events"].columns["cause"].codes or {})
    main = {h: str(data.homes[h]["register_causes"] or "").split(";")[0] for h in data.watched}
    counted = {c: [h for h, m in main.items() if m == c] for c in causes}
    counted["unstated"] = [h for h, m in main.items() if m not in causes]
    return _by_village(data, {"watched": data.watched, **counted})


def rows_of_bands(data: FormRecords, params: Mapping[str, Any]) -> list[Record]:
    """General households by band of income, and lifted or watched ones below 10,000 yuan."""
    limits = dict(zip(BANDS, ((7000, 8000), (8000, 9000), (9000, 10000)), strict=True))
    general = {
        h: home["pcni"]
        for h, home in data.homes.items()
        if home["registration"] == "general" and not home["in_register"]
    }
    counted = {
        f"band{low // 1000}": [h for h, v in general.items() if low <= v < high]
        for low, high in limits.values()
    }
    counted["general_below"] = [h for h, v in general.items() if v < 7000]
    own = {
        h: home for h, home in data.homes.items() if home["registration"] == "lifted" or home["in_register"]
    }
    counted["plan"] = [h for h, home in own.items() if home["pcni"] < 10000]
    counted["unknown"] = [h for h, home in data.homes.items() if home["pcni"] != home["pcni"]]
    return _by_village(data, counted)


def rows_of_measures(data: FormRecords, params: Mapping[str, Any]) -> list[Record]:
    """Households under watch by how many measures they have, and by kind of measure."""
    kinds = list(contract().tables["support"].columns["measure"].codes or {})
    measures = {h: {s["measure"] for s in data.of("support", h)} for h in data.watched}
    counted = {
        "watched": data.watched,
        "without": [h for h, m in measures.items() if not m],
        "three": [h for h, m in measures.items() if len(m) >= 3],
        **{k: [h for h, m in measures.items() if k in m] for k in kinds},
    }
    return _by_village(data, counted)
