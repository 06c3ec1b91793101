"""The office's page: counts that add up, facts before hints, no word that only an analyst knows."""

from __future__ import annotations

import dataclasses
import re

import pandas as pd
import pytest

from riskmodel import explanation, presentation, rules, scoring
from riskmodel.data import from_frames
from riskmodel.i18n import section
from riskmodel.presentation.office_page import COUNTS, count_by_township

DAY = "2021-06-30"
# Words that an office neither uses nor is told the meaning of.
JARGON = re.compile(
    r"近[一二三四五六七八九十\d]+期|PSI|CGH|parquet|truth|log-odds|对数几率|AUC|SHAP|Brier|bootstrap|p 值|"
    r"p-value|feature|"
    r"特征集|NaN|None\b|\bnan\b|margin|_[a-z]+_|Horvitz|calibration|校准"
)
# What the office reads; how a list was made (the summary's last part) is for whoever has to answer for it.
OFFICE_WORDS = ("office_page", "worklist.sheets", "worklist.columns", "worklist.choices", "worklist.words",
                "worklist.summary.list", "worklist.summary.use", "township_books")  # fmt: skip


@pytest.fixture(scope="module")
def county():
    ids = [f"H{i:05d}" for i in range(40)]
    homes = pd.DataFrame({"household_id": ids, "township": [f"{'东西'[i % 2]}河镇" for i in range(40)],
                          "village": "上坝村", "registration": "lifted", "valid_from": "2019-01-01",
                          "water_safe": [i != 3 for i in range(40)]})  # fmt: skip
    members = pd.DataFrame({"member_id": [f"m{i}" for i in ids], "household_id": ids,
                            "birth_month": "1980-01", "insured": True,
                            "valid_from": "2019-01-01"})  # fmt: skip
    months = [str(m) for m in pd.period_range("2019-01", "2021-06", freq="M")]
    income = pd.DataFrame([{"household_id": h, "month": m, "source": "wage", "amount": 300 + 40 * i}
                           for i, h in enumerate(ids) for m in months])  # fmt: skip
    spending = pd.DataFrame([{"household_id": h, "month": "2021-03", "category": "medical",
                              "amount": 1000.0 * i} for i, h in enumerate(ids)])  # fmt: skip
    events = pd.DataFrame({"household_id": ids[::3], "date": "2021-04-03", "cause": "illness", "loss": 700.0})
    warnings = pd.DataFrame({"household_id": ids[:2], "department": "医保局", "pushed_on": "2021-06-01"})
    frames = {"households": homes, "members": members, "income": income, "spending": spending,
              "risk_events": events, "warnings": warnings}  # fmt: skip
    return from_frames(frames)


@pytest.fixture(scope="module")
def made(county, make_scores) -> tuple[scoring.Worklist, pd.DataFrame]:
    scores = make_scores(40, flagged=0.0, unknown=0.0, unscored=0.0, seed=5).sort_values("household_id")
    verdicts = rules.evaluate_rules(county, "national-2021", DAY).set_index("household_id")
    own = verdicts.loc[scores["household_id"]].reset_index()
    for column in ("township", "village", "pcni", "line", "flagged"):
        scores[column] = own[column].to_numpy()
    scores["rule_category"], scores["rule_conditions"] = (
        own["category"].to_numpy(),
        own["conditions"].to_numpy(),
    )
    return scoring.build_worklist(scores, visits=12, county=county), scores


def page(made, tmp_path, lang: str = "zh") -> str:
    path = presentation.write_office_page(*made, tmp_path / "office.html", lang)
    assert (
        path.read_bytes() == presentation.write_office_page(*made, tmp_path / "again.html", lang).read_bytes()
    )
    return path.read_text(encoding="utf-8")


def test_counts_by_township_add_up(made, tmp_path) -> None:
    worklist, scores = made
    counts = count_by_township(worklist, scores)
    assert list(counts.columns) == list(COUNTS)
    assert (counts.iloc[:-1].sum() == counts.iloc[-1]).all()
    assert counts.iloc[-1]["households"] == 40
    assert counts.iloc[-1]["planned"] == len(worklist.planned) == 12
    assert counts.iloc[-1]["listed"] == len(worklist.listed) == counts.iloc[-1][["planned", "waiting"]].sum()
    text = page(made, tmp_path)
    assert text.index("各乡镇今日数") < text.index("<h2>名单</h2>")
    for name, row in counts.iloc[:-1].iterrows():
        assert f'<td class="text">{name}</td>' + "".join(f"<td>{n}</td>" for n in row) in text


def test_every_listed_household_is_told_by_facts_and_hints_stand_apart(made, tmp_path) -> None:
    worklist, _ = made
    sheets = explanation.write_fact_sheets(worklist.facts, list(worklist.listed["household_id"]))
    homes = re.findall(r"<article class=\"home\".*?</article>", page(made, tmp_path), flags=re.S)
    assert len(homes) == len(worklist.listed)
    for (_, row), html in zip(worklist.listed.iterrows(), homes, strict=True):
        before, _, after = html.partition("模型另外提示")
        sheet = sheets[row["household_id"]]
        assert all(f"<li>{line}</li>" in before for line in (*sheet.facts, *sheet.questions))
        assert all(m in before for m in sheet.measures)
        for k in (1, 2, 3):
            if row[f"reason_{k}"]:
                assert row[f"reason_{k}"] in after
                assert row[f"reason_{k}"] not in before
    assert "医保局推送预警" in "".join(homes)
    assert "饮水安全无保障" in "".join(homes)


def test_a_day_that_has_passed_is_told_and_counted(made, tmp_path) -> None:
    worklist, scores = made
    day = pd.Timestamp(DAY)
    for late, said in ((-5, "，已过 5 天"), (0, ""), (5, "")):
        listed = worklist.listed.assign(due_date=day + pd.Timedelta(days=30))
        listed.loc[listed.index[0], "due_date"] = due = day + pd.Timedelta(days=late)
        text = page((dataclasses.replace(worklist, listed=listed), scores), tmp_path)
        assert f"走访期限 {due:%Y-%m-%d}{said}</small>" in text
        assert ("名单上 1 户走访期限已过" in text) == bool(said)
    assert re.search(r"<small>[^<]*　1 人　", text)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_no_word_of_an_analyst_on_what_an_office_reads(made, tmp_path, lang) -> None:
    text = re.sub(
        r"<script.*?</script>|<style.*?</style>|<[^>]*>", " ", page(made, tmp_path, lang), flags=re.S
    )
    assert not JARGON.search(text), JARGON.search(text)
    sheets = presentation.write_visit_sheets(made[0], tmp_path / "sheets.html", lang).read_text(
        encoding="utf-8"
    )
    sheets = re.sub(r"<style.*?</style>|<[^>]*>", " ", sheets, flags=re.S)
    assert not JARGON.search(sheets), JARGON.search(sheets)


def words(node: object) -> list[str]:
    if isinstance(node, str):
        return [node]
    return [w for part in (node.values() if hasattr(node, "values") else node) for w in words(part)]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_no_word_of_an_analyst_in_the_words_of_the_office(lang) -> None:
    said = [w for part in OFFICE_WORDS for w in words(section(part, lang))]
    from riskmodel.explanation.facts import fact_wording
    from riskmodel.explanation.wording import load_measures, load_wording

    said += [w.text(lang) for w in (*fact_wording().words.values(), *fact_wording().ask.values())]
    said += [q.text(lang) for fit in load_measures().causes.values() for q in fit.ask]
    said += [w.text(lang) for w in (*load_wording().domains.values(), *load_wording().groups.values())]
    said += [v.text(lang) for t in load_wording().templates for v in t.variants]
    plain = [re.sub(r"\{[^}]*\}", "", w) for w in said]
    wrong = [w for w in plain if JARGON.search(w)]
    assert not wrong, wrong
    assert len(said) > 200


def test_a_small_model_list_without_a_county_has_a_page_too(make_scores, tmp_path) -> None:
    scores = make_scores(30, seed=2)
    worklist = scoring.build_worklist(scores, visits=5)
    text = presentation.write_office_page(worklist, scores, tmp_path / "office.html").read_text(
        encoding="utf-8"
    )
    assert text.count('<article class="home"') == len(worklist.listed)
    assert "没有登记的事实" in text
