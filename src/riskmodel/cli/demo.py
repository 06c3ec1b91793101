"""The main job, end to end, on a simulated county."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riskmodel.cli.common import STORE, JsonFlag, StoreOption, say, tell, verb
from riskmodel.i18n import counted, spoken_language, translate

if TYPE_CHECKING:
    import datetime as dt

    import pandas as pd

    from riskmodel.data import County
    from riskmodel.scoring import Worklist

RULESETS = ("national-2021", "county-2020", "yingjiang-2022")
FEATURE_SET = "household-v2"
EXPERIMENT = "county"
IMPORTED = 40  # households of the county that is handed over in an office's files


class _Steps:
    """Says which step runs, and how long the whole has taken."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, text: str) -> None:
        said = translate(text, spoken_language())
        say(f"[{time.monotonic() - self._began:5.0f} s] {said}")


@verb
def demo(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write to.")] = Path("out/demo"),
    households: Annotated[int, typer.Option("--households", min=300, help="How many.")] = 3000,
    months: Annotated[int, typer.Option("--months", min=48, help="Whole months.")] = 60,
    visits: Annotated[
        int | None,
        typer.Option("--visits", min=1, help="Visits this month; by default one household in nine."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of all that is drawn.")] = 7,
    store: StoreOption = STORE,
    as_json: JsonFlag = False,
) -> None:
    """Run the main job on a simulated county: simulate, check, judge, learn, score, list, report."""
    step = _Steps()
    # What the county owes takes most of it: the simulated office follows few of its clues.
    visits = visits or households // 9
    step(f"1/10 simulating a county of {households} households over {months} months, with its true risks")
    data = _simulate(out, households, months, seed)
    step("2/10 reading and checking its tables")
    county = _read(data, out)
    day = county.data_through
    step(f"3/10 judging every household by {len(RULESETS)} official rule sets as of {day}")
    verdicts = _judge(county, day, out)
    step(f"4/10 building {FEATURE_SET} as of {day}, with its data dictionary")
    _features(county, day, out)
    step("5/10 training and evaluating on what came later; logging to MLflow")
    trained = _train(county, data, store, step)
    step("6/10 scoring every household, with reasons")
    scores = _score(county, day, store, out, verdicts)
    step(f"7/10 listing whom to visit ({counted(visits, 'visit')})")
    listed = _worklist(county, scores["zh"], visits, seed, out)
    step("8/10 looking ahead, and writing the report")
    _forecast(county, day, out, store)
    page = _report(trained.run_id, county, day, scores, verdicts, listed, out, store)
    step(f"9/10 a county of {IMPORTED} households from the files of its office, held against what is true")
    compared = _import_files(out / "import", seed)
    step("10/10 the same month as the county's office has it: a workbook a township, cases, forms, register")
    month = _office_month(data, county, day, visits, out, store)
    index = _write_index(compared, out, page, month)
    step("done")
    _close(out, store, page, month, trained, index)
    if as_json:
        tell({"out": str(out), **trained.summary, "worklist": listed.totals}, as_json)


def _simulate(out: Path, households: int, months: int, seed: int) -> Path:
    from riskmodel import simulate

    data = out / "county"
    simulate.write_simulated_county(
        simulate.simulate_county(households=households, months=months, seed=seed), data
    )
    return data


def _read(data: Path, out: Path) -> County:
    from riskmodel import data as counties

    counties.check_county(data, out / "check")
    return counties.read_county(data)


def _judge(county: County, day: dt.date, out: Path) -> dict[str, pd.DataFrame]:
    from riskmodel import rules
    from riskmodel.io import write_table

    verdicts = dict(rules.evaluate_rule_sets(county, RULESETS, day))
    for name, table in verdicts.items():
        write_table(table, out / "rules" / f"{name}.csv")
    return verdicts


def _features(county: County, day: dt.date, out: Path) -> None:
    from riskmodel import features
    from riskmodel.io import write_table

    chosen = features.load_feature_set(FEATURE_SET)
    write_table(features.describe_features(chosen), out / "features" / "dictionary.csv")
    write_table(features.build_features(county, chosen, day), out / "features" / f"{FEATURE_SET}.parquet")


def _train(county: County, data: Path, store: Path, step: _Steps) -> Any:
    from riskmodel.runs import load_experiment, read_truth, train

    return train(
        load_experiment(EXPERIMENT),
        county,
        store,
        truth=read_truth(data),
        progress=lambda text: step(f"    {text}"),
        take_over=True,
    )


def _score(
    county: County, day: dt.date, store: Path, out: Path, verdicts: dict[str, pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    from riskmodel import scoring
    from riskmodel.io import write_table
    from riskmodel.runs import CHAMPION, load_model

    loaded = load_model(f"{EXPERIMENT}@{CHAMPION}", store)
    own = None if loaded.card["params"] else verdicts.get(loaded.ruleset.id)
    scores = scoring.score_in_languages(county, loaded, day, verdicts=own)
    write_table(scores["zh"], out / "scores.parquet")
    scoring.log_scores(scores["zh"], loaded, store)
    return scores


def _worklist(county: County, scores: pd.DataFrame, visits: int, seed: int, out: Path) -> Worklist:
    from riskmodel import presentation, scoring
    from riskmodel.io import write_table

    made = scoring.build_worklist(scores, visits=visits, county=county, by="township", seed=seed)
    presentation.write_worklist(made, out / "worklist.xlsx", "zh")
    write_table(made.selection, out / "worklist-chances.csv")
    return made


def _forecast(county: County, day: dt.date, out: Path, store: Path) -> None:
    from riskmodel import forecasting, presentation
    from riskmodel.cli import forecast

    # Two past days show how methods are compared; the verb takes eight.
    made = forecasting.forecast(county, day, origins=2, bottom_up=False)
    presentation.write_forecast(made, out / "forecast")
    forecast.log(made, store, forecast.summarise(made))


def _report(
    run_id: str, county: County, day: dt.date, scores: dict[str, pd.DataFrame],
    verdicts: dict[str, pd.DataFrame], listed: Worklist, out: Path, store: Path,
) -> Path:  # fmt: skip
    from riskmodel import presentation
    from riskmodel.presentation import with_rules

    histories = presentation.histories(county, day, list(listed.listed["household_id"]))
    given = presentation.read_run(run_id, store, scores, histories)
    ruleset = given.experiment["ruleset"]
    given = with_rules(given, county, ruleset, day, out / "report", verdicts=verdicts.get(ruleset))
    given = dataclasses.replace(given, outlook=presentation.read_forecast(out / "forecast"))
    return presentation.write_report(given, out / "report")


def _import_files(home: Path, seed: int) -> pd.DataFrame:
    """Write a small county as an office's files, import and check it, and judge both.

    Returns
    -------
    DataFrame
        ``of, county, imported, equal, unknown, known, different``: what both hold, in households and persons;
        of net income a head and verdicts, how many are equal, unknown or known in one alone, or different.
    """
    import pandas as pd

    from riskmodel import data as counties
    from riskmodel import importing, rules, simulate
    from riskmodel.io import write_table

    true = simulate.simulate_county(households=IMPORTED, months=36, seed=seed, truth_at=())
    simulate.write_simulated_county(true, home / "county")
    simulate.office_files(true, home / "files", seed=seed)
    importing.write_import(importing.import_files([home / "files"]), home / "imported")
    counties.check_county(home / "imported", home / "check")
    read = [counties.read_county(home / name) for name in ("county", "imported")]
    day = read[0].data_through
    judged = [rules.evaluate_rules(county, RULESETS[0], day).set_index("household_id") for county in read]
    made: list[list[Any]] = []
    for name, key in (("households", "household_id"), ("members", "member_id")):
        true_ids, ids = (set(county.frame(name)[key]) for county in read)
        counts = [len(true_ids & ids), len(true_ids - ids), len(ids - true_ids), 0]
        made.append([name, len(true_ids), len(ids), *counts])
    everybody = judged[0].index.union(judged[1].index)
    for name in ("pcni", "category"):
        one, other = (verdicts[name].reindex(everybody) for verdicts in judged)
        known, also = (values.notna() & values.ne("unknown") for values in (one, other))
        equal = one.round(2).eq(other.round(2)) if name == "pcni" else one.eq(other)
        parts = equal | ~(known | also), known & ~also, also & ~known, ~equal & known & also
        made.append([name, int(known.sum()), int(also.sum()), *(int(part.sum()) for part in parts)])
    columns = ["of", "county", "imported", "equal", "unknown", "known", "different"]
    compared = pd.DataFrame(made, columns=columns)
    write_table(judged[1].reset_index(), home / "verdicts.csv")
    write_table(compared, home / "comparison.csv")
    return compared


def _office_month(data: Path, county: County, day: dt.date, visits: int, out: Path, store: Path) -> Path:
    """Make the month as an office does, and fill the forms of its documents; return the month's folder."""
    from riskmodel import explanation, forms, month, rules
    from riskmodel.households import known_county
    from riskmodel.runs import CHAMPION

    options = month.MonthOptions(model=f"{EXPERIMENT}@{CHAMPION}", visits=visits, split="township")
    made = month.run_month(data, day, out / "months", store=store, options=options, say=lambda text: None)
    of_month, known = forms.read_month(made.out), known_county(county, day)
    records = forms.FormRecords(
        known, rules.load_rules(of_month.ruleset), of_month.params, visits=of_month.planned,
        measures=explanation.proposed_measures(), processing=of_month.processing,
    )  # fmt: skip
    forms.write_forms(records, out / "forms")
    return made.out


def _write_index(compared: pd.DataFrame, out: Path, report: Path, month: Path) -> Path:
    """Write the page from which everything that the demo made can be opened."""
    from riskmodel.i18n import both
    from riskmodel.io import write_text
    from riskmodel.presentation import Column, Link, Links, PageSection, Paragraph, Row, Table, page_html

    def words(key: str, **values: Any) -> dict[str, str]:
        return both(f"common.demo.{key}", **values)

    pages = {
        "report": report, "rules": report.with_name("rules.html"), "list": out / "worklist.xlsx",
        "forecast": out / "forecast" / "forecast.html", "check": out / "check" / "quality.md",
    }  # fmt: skip
    files = {
        "files": "files", "reading": "imported/reading.xlsx", "tables": "imported",
        "checked": "check/quality.md", "verdicts": "verdicts.csv", "comparison": "comparison.csv",
    }  # fmt: skip
    kept = {
        "office": "office.html", "township": "townships", "cases": "cases.xlsx",
        "sheets": "visit-sheets.html", "ledger": "ledger/ledger.html",
    }  # fmt: skip
    head = [Column(words(f"columns.{name}"), "text" if name == "of" else "number") for name in compared]
    rows = [Row([words(f"rows.{row[0]}"), *map(str, row[1:])]) for row in compared.itertuples(index=False)]
    links = [Link(words(key), path.relative_to(out).as_posix()) for key, path in pages.items()]
    made = [Link(words(key), f"import/{path}") for key, path in files.items()]
    of_month = [Link(words(key), (month / path).relative_to(out).as_posix()) for key, path in kept.items()]
    of_month.append(Link(words("forms"), "forms"))
    page = page_html(
        words("title"),
        [
            PageSection("main", words("main"), [Links(words("open"), links)]),
            PageSection("month", words("month"), [Links(words("open"), of_month)]),
            PageSection(
                "import",
                words("import"),
                [
                    Paragraph(words("how")),
                    Links(words("open"), made),
                    Table(head, rows),
                    Paragraph(words("note"), "note"),
                ],
            ),
        ],
        language="zh",
        kind="demo",
    )
    return write_text(page, out / "index.html")


def _close(out: Path, store: Path, page: Path, month: Path, trained: Any, index: Path) -> None:
    say("")
    say("Made:")
    for path, what in (
        (index, "the page to begin with: links to all of this"),
        (out / "county", "the simulated county, with truth.parquet"),
        (out / "check", "what the check of its tables found"),
        (out / "rules", "every household's verdict by three rule sets"),
        (out / "features", "features and their data dictionary"),
        (out / "scores.parquet", "probabilities beside rule verdicts, with reasons"),
        (
            out / "forecast" / "forecast.html",
            "income and new entries a year ahead, with intervals, zh and en",
        ),
        (out / "worklist.xlsx", "whom to visit and why, for the county office (zh)"),
        (out / "worklist-chances.csv", "each household's chance of being selected, for the evaluation"),
        (page, "the report, offline, zh and en"),
        (page.with_name("rules.html"), "the rules, this month's verdicts, what changed and why"),
        (month / "office.html", "the month as the county's office has it: counts, list by its facts (zh)"),
        (month / "townships", "a workbook a township that does not say why a household is listed"),
        (month / "cases.xlsx", "every case: what is due, late, and for whom it waits"),
        (out / "forms", "forms, lists and reports of the official documents, filled: Word and Excel (zh)"),
        (out / "import", "a small county as an office's files, imported, checked, judged and compared"),
        (store, f"MLflow's store; the model is {EXPERIMENT}@champion, run {trained.run_id}"),
    ):
        say(f"  {path}  -  {translate(what, spoken_language())}")
    say("")
    say(trained.verdict[spoken_language()])
