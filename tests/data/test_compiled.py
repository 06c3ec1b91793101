"""A query's text is decided by what it is kept by, and by nothing else."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import threading
from pathlib import Path

import ibis
import pandas as pd
import pyarrow as pa
import pytest

from riskmodel.data import About, County, compiled, from_frames, query_store
from riskmodel.data.compiled import Shape
from riskmodel.data.schema import rows_table
from riskmodel.features.aggregates import AGGREGATES
from riskmodel.households import known_county, point_in_time

HOUSEHOLDS = pd.DataFrame(
    {"household_id": ["a", "b", "c"], "township": ["t", None, "t"], "lifted_year": [2016, None, 2018]}
)


@pytest.fixture(autouse=True)
def _empty_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "CACHE", compiled._Cache(compiled.MOST_ENTRIES))
    monkeypatch.setenv(query_store.FOLDER, "")


def kept(build: compiled.Build) -> int:
    """Return how many texts of a function are kept (making and describing a county keep their own)."""
    return len(compiled.CACHE.queries(build))


def county(about: About | None = None, **tables: pd.DataFrame) -> County:
    return from_frames({"households": HOUSEHOLDS, **tables}, about)


def since(shape: Shape, factor: object, years: ibis.Table) -> ibis.Table:
    t = shape.table("households").cross_join(years)
    n = t.lifted_year * (factor if type(factor) is int else 7)
    return t.filter(t.lifted_year >= t.first).select("household_id", "township", n=n)


def years(first: int) -> pa.Table:
    return rows_table([{"first": first}], first="int32")


def test_rows_come_from_the_county_and_the_inputs_the_text_from_neither() -> None:
    one, other = county(), from_frames({"households": HOUSEHOLDS.assign(lifted_year=2020)})
    assert compiled.fetch_frame(one, since, 2, years=years(2017))["n"].tolist() == [4036]
    assert compiled.fetch_frame(one, since, 2, years=years(2016))["n"].tolist() == [4032, 4036]
    assert compiled.fetch_frame(other, since, 2, years=years(2017))["n"].tolist() == [4040] * 3
    assert kept(since) == 1


def test_counties_that_name_their_tables_differently_share_a_text() -> None:
    one = county()
    renamed = one.con.create_table("another", one.tables["households"].filter(ibis._.lifted_year == 2016))
    other = County(one.con, {"households": renamed})
    assert compiled.fetch_frame(one, since, 1, years=years(0))["n"].tolist() == [2016, 2018]
    assert compiled.fetch_frame(other, since, 1, years=years(0))["n"].tolist() == [2016]
    assert kept(since) == 1


def spending_per_household(shape: Shape) -> ibis.Table:
    spent = shape.table("spending").group_by("household_id").agg(n=ibis._.count())
    t = shape.table("households").select("household_id").left_join(spent, "household_id")
    corrected = ibis.literal(shape.facts.get("corrected.spending", False))
    return t.select("household_id", "n", corrected=corrected, net=ibis.literal(shape.about.income_is_net))


def spending(row_id: str | None) -> pd.DataFrame:
    row = {"household_id": "a", "month": "2020-01", "category": "living", "amount": 1, "row_id": row_id}
    return pd.DataFrame([row])


def test_tables_kinds_of_rows_and_what_is_said_of_the_county_give_texts_of_their_own() -> None:
    plain, corrected = county(spending=spending(None)), county(spending=spending("r1"))
    net = county(About(income_is_net=True), spending=spending(None))
    texts = [compiled.query(c, spending_per_household).text for c in (county(), plain, corrected, net)]
    assert len(set(texts)) == kept(spending_per_household) == 4
    # Where a source is from changes no query.
    told = county(About(source="an office", simulated={"seed": 1}), spending=spending(None))
    assert compiled.query(told, spending_per_household).text == texts[1]
    assert kept(spending_per_household) == 4


def households_or_visits(shape: Shape) -> ibis.Table:
    if shape.facts["versions.households"]:
        return shape.table("households").select("household_id")
    return shape.table("visits").select("household_id")


def test_what_a_query_does_not_ask_for_gives_it_no_other_text() -> None:
    # Spending, corrected or not, is no matter of a query on households.
    for one in (county(), county(spending=spending(None)), county(spending=spending("r1"))):
        compiled.query(one, since, 1, years=years(0))
    assert kept(since) == 1
    # One answer may lead to another question.
    several = from_frames({"households": pd.concat([HOUSEHOLDS, HOUSEHOLDS.assign(valid_from="2020-01-01")])})
    visits = pd.DataFrame({"household_id": ["a"], "date": ["2020-01-01"], "outcome": ["confirmed"]})
    found = [
        len(compiled.fetch_frame(c, households_or_visits)) for c in (county(), several, county(visits=visits))
    ]
    assert found == [0, 6, 1]
    assert kept(households_or_visits) == 3
    compiled.query(
        from_frames({"households": several.frame("households"), "visits": visits}), households_or_visits
    )
    assert kept(households_or_visits) == 3


def test_a_query_cannot_look_at_all_facts_at_once() -> None:
    with pytest.raises(TypeError, match="single facts"):
        compiled.query(county(), every_fact)


def every_fact(shape: Shape) -> ibis.Table:
    return shape.table("households").mutate(n=len(list(shape.facts)))


def test_a_column_more_or_of_another_type_gives_another_text() -> None:
    def of_schema(change: str) -> County:
        one = county()
        t = one.tables["households"]
        t = t.mutate(lifted_year=t.lifted_year.cast("int64")) if change == "type" else t.mutate(more=1)
        return County(one.con, {"households": one.con.create_table("changed", t)})

    for c in (county(), of_schema("type"), of_schema("column")):
        compiled.query(c, since, 1, years=years(0))
    compiled.query(county(), since, 1, years=rows_table([{"first": 0}], first="int64"))
    compiled.query(
        county(), since, 1, years=rows_table([{"first": 0, "last": 0}], first="int32", last="int32")
    )
    assert kept(since) == 5


def test_equal_arguments_of_other_types_and_other_orders_are_other_keys() -> None:
    one = county()
    arguments = [
        1,
        True,
        1.0,
        "1",
        (1, 2),
        [1, 2],
        (2, 1),
        {"a": 1, "b": 2},
        {"b": 2, "a": 1},
        None,
        0.0,
        -0.0,
    ]
    for argument in arguments:
        compiled.query(one, since, argument, years=years(0))
    assert kept(since) == len(arguments)
    compiled.query(one, since, About(), years=years(0))
    compiled.query(one, since, About(entry_lag_months=4), years=years(0))
    compiled.query(one, since, About(), years=years(1))
    assert kept(since) == len(arguments) + 2


def test_how_selects_are_written_is_part_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled.query(county(), since, 1, years=years(0))
    monkeypatch.setattr(ibis.options.sql, "fuse_selects", not ibis.options.sql.fuse_selects)
    compiled.query(county(), since, 1, years=years(0))
    assert kept(since) == 2


@pytest.mark.parametrize("argument", [dt.date(2021, 6, 1), (1, dt.date(2021, 6, 1)), {"a"}, object()])
def test_what_would_stand_in_the_text_or_has_no_key_is_refused(argument: object) -> None:
    with pytest.raises(TypeError, match=r"input table|key"):
        compiled.query(county(), since, argument, years=years(0))


def test_a_function_with_values_of_its_own_is_refused() -> None:
    first = 2017

    def build(shape: Shape) -> ibis.Table:
        return shape.table("households").filter(ibis._.lifted_year > first)

    with pytest.raises(TypeError, match="hand over what it carries as arguments"):
        compiled.query(county(), build)


def test_a_query_reads_only_tables_that_the_engine_holds() -> None:
    one = county()
    with pytest.raises(TypeError, match="store it first"):
        compiled.fetch_frame(one, since, 1, years=ibis.memtable({"first": [0]}))


def every_type(shape: Shape) -> ibis.Table:
    t = shape.table("households")
    day = ibis.date(2021, 6, 1)
    return t.select(
        "household_id", "lifted_year", day=day, day_or_null=ibis.ifelse(t.lifted_year == 2016, day, None),
        flag=t.lifted_year > 2016, share=t.lifted_year / 7, exact=t.lifted_year.cast("decimal(18,4)"),
        small=ibis.literal(1, "int8"), listed=ibis.array([1, 2]), nothing=ibis.null("float64"),
        text=t.township.fill_null("none"),
    )  # fmt: skip


def test_answers_have_the_types_and_values_that_ibis_gives() -> None:
    one = county()
    expected = every_type(one)  # type: ignore[arg-type]
    pd.testing.assert_frame_equal(
        compiled.fetch_frame(one, every_type), expected.to_pandas(), check_exact=True
    )
    kept = compiled.store_query(one, every_type)
    assert (
        kept.schema()
        == expected.schema()
        == one.con.table(kept.op().name, database=("temp", "main")).schema()
    )
    pd.testing.assert_frame_equal(kept.to_pandas(), expected.to_pandas(), check_exact=True)


def test_an_absent_table_is_an_empty_one() -> None:
    shape = county().shape
    assert not shape.has("visits")
    assert county().con.to_pyarrow(shape.table("visits")).num_rows == 0


def test_no_input_stays_on_the_connection() -> None:
    one, tables = county(), "SELECT table_name FROM information_schema.tables"
    before = one.con.con.execute(tables).fetchall()
    compiled.fetch_frame(one, since, 1, years=years(0))
    with pytest.raises(Exception, match="first"):
        compiled.fetch_frame(one, since, 1, years=rows_table([{"other": 1}], other="int32"))
    assert one.con.con.execute(tables).fetchall() == before


def test_the_least_recently_used_query_is_forgotten_first() -> None:
    cache = compiled._Cache(2)
    made: list[str] = []

    def make(name: str) -> compiled.Query:
        made.append(name)
        return compiled.Query(name, ibis.schema({}), "")

    shape = county().shape
    for name in ("a", "b", "a", "c", "a", "b"):
        assert cache.get(name, shape, lambda asked, name=name: make(name)).text == name  # type: ignore[misc]
    assert made == ["a", "b", "c", "b"]
    assert len(cache.queries()) == 2
    cache.clear()
    assert not cache.queries()


def test_several_threads_may_ask_each_for_its_own_county() -> None:
    counties = [from_frames({"households": HOUSEHOLDS.assign(lifted_year=2000 + k)}) for k in range(6)]
    found: dict[int, list[int]] = {}

    def ask(k: int) -> None:
        found[k] = compiled.fetch_frame(counties[k], since, 1, years=years(0))["n"].tolist()

    threads = [threading.Thread(target=ask, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {k: [2000 + k] * 3 for k in range(6)}
    assert kept(since) == 1


def written(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.json"))


def test_another_process_finds_the_texts_that_one_left_in_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(query_store.FOLDER, str(tmp_path))
    monkeypatch.setattr(compiled, "_PACKAGE", "")  # texts of tests are kept as those of the package
    one = county()
    expected = compiled.fetch_frame(one, every_type)
    schema = compiled.query(one, every_type).schema
    assert [f for f in written(tmp_path) if "every_type" in f.read_text(encoding="utf-8")]
    monkeypatch.setattr(compiled, "CACHE", compiled._Cache(compiled.MOST_ENTRIES))
    with monkeypatch.context() as patched:
        patched.setattr(type(one.con), "compile", None)  # nothing is compiled any more
        again = compiled.query(one, every_type)
        found = compiled.fetch_frame(one, every_type)
    assert again.schema == schema
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    assert not [f for f in tmp_path.rglob("*") if f.is_file() and f.suffix != ".json"]


def test_other_versions_of_what_writes_texts_have_a_folder_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(query_store.FOLDER, str(tmp_path))
    monkeypatch.setattr(compiled, "_PACKAGE", "")  # texts of tests are kept as those of the package
    compiled.query(county(), every_type)
    monkeypatch.setattr(compiled, "CACHE", compiled._Cache(compiled.MOST_ENTRIES))
    monkeypatch.setattr(query_store, "_versions", lambda: "another")
    compiled.query(county(), every_type)
    assert len({f.parent for f in written(tmp_path)}) == 2


def test_without_a_folder_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    compiled.query(county(), every_type)
    assert not list(tmp_path.iterdir())


def test_a_text_that_others_decide_is_not_kept_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # This package's files do not tell when a function of somebody else, or a member they register, changes.
    monkeypatch.setenv(query_store.FOLDER, str(tmp_path))
    one = county()
    clock = known_county(one, "2021-01-01").clock
    before = len(written(tmp_path))
    compiled.query(one, every_type)
    assert len(written(tmp_path)) == before
    alone = dataclasses.replace(AGGREGATES["count"], name="count_again")
    with AGGREGATES.including(alone):
        compiled.query(one, point_in_time.known_rows, "households", clock=clock)
    assert len(written(tmp_path)) == before
    monkeypatch.setattr(compiled, "CACHE", compiled._Cache(compiled.MOST_ENTRIES))
    compiled.query(one, point_in_time.known_rows, "households", clock=clock)
    assert len(written(tmp_path)) > before


def test_what_cannot_be_read_on_disk_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(query_store.FOLDER, str(tmp_path))
    monkeypatch.setattr(compiled, "_PACKAGE", "")
    expected = compiled.fetch_frame(county(), every_type)
    for broken in ("", "[]", "{}", '{"text": 1}'):
        for file in written(tmp_path):
            file.write_text(broken, encoding="utf-8")
        monkeypatch.setattr(compiled, "CACHE", compiled._Cache(compiled.MOST_ENTRIES))
        pd.testing.assert_frame_equal(compiled.fetch_frame(county(), every_type), expected)


def test_a_process_whose_files_have_changed_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(query_store.FOLDER, str(tmp_path))
    monkeypatch.setattr(query_store, "_STARTED", 0.0)
    monkeypatch.setattr(query_store, "_versions", query_store._versions.__wrapped__)
    query_store.write_entry("k", {"question": "q"})
    assert query_store.read_entry("k") is None
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="owners and modes of a folder are those of Unix")
def test_the_folder_is_the_users_own_and_old_versions_are_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(query_store.FOLDER)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    query_store._private_default.cache_clear()
    top = tmp_path / "riskmodel" / "queries"
    old = top / "old"
    old.mkdir(parents=True, mode=0o700)
    os.utime(old, (0, 0))
    query_store.write_entry("k", {"question": "q"})
    assert query_store.read_entry("k") == {"question": "q"}
    assert not old.exists()
    assert written(top)[0].parent.stat().st_mode & 0o077 == 0
    top.chmod(0o777)  # others could write what the engine runs
    query_store._private_default.cache_clear()
    assert query_store.read_entry("k") is None
    query_store._private_default.cache_clear()
