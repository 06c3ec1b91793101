"""People's data: refused at reading, or keyed and dropped on request."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from riskmodel.data import read_county, write_county
from riskmodel.data.personal import KEY_VARIABLE, personal_columns, pseudonym
from riskmodel.data.sources import Source, open_raw_table
from riskmodel.errors import InputRefused, UsageError

from . import exports


def identity(i: int) -> str:
    return f"41012219{70 + i}0101{i:03d}X"


def with_identities(rows: exports.Rows) -> exports.Rows:
    """Give every member an identity number for an id, as careless exports do, and a name and a phone."""
    for i, row in enumerate(rows["members"]):
        row |= {"member_id": identity(i), "姓名": f"王{i}", "contact": f"138000{i:05d}"}
    return rows


def test_identity_numbers_are_refused_and_never_quoted(tmp_path):
    rows = exports.core()
    for i, row in enumerate(rows["members"]):
        row["member_id"] = identity(i)
    folder = write_county(exports.frames(rows), tmp_path, "csv")
    with pytest.raises(InputRefused, match=r"members\.csv: personal data in column 'member_id'") as refused:
        read_county(folder)
    assert identity(0) not in str(refused.value)
    assert KEY_VARIABLE in str(refused.value)


def test_pseudonymise_keys_ids_and_drops_the_rest(tmp_path, monkeypatch):
    rows = with_identities(exports.core())
    # A rejected row must not carry the identity, nor a cell that cannot be read.
    rows["members"][0]["birth_month"] = "gone"
    rows["members"][1]["health"] = identity(1)
    folder = write_county(exports.frames(rows), tmp_path, "csv")
    monkeypatch.setenv(KEY_VARIABLE, "a secret of the office")
    county = read_county(folder, pseudonymise=True, max_rejected=1)
    # HMAC-SHA256 of the id under the key, cut to 128 bits; computed here by the standard library.
    expected = hmac.new(b"a secret of the office", identity(1).encode(), hashlib.sha256).hexdigest()[:32]
    members = county.frame("members")
    assert expected in set(members.member_id)
    # Ids still match between tables, and nothing of the person is left anywhere.
    assert set(members.household_id) == set(county.frame("households").household_id)
    assert set(county.frame("income").household_id) == set(county.frame("households").household_id)
    everything = " ".join(county.frame(t).to_csv() for t in county.tables)
    everything += county.rejected.to_csv() + county.cells.to_csv() + county.losses.to_csv()
    for secret in ("4101221970", "王", "13800", "h01"):
        assert secret not in everything
    assert len(county.rejected) == 1
    assert len(county.cells) == 1
    assert any("姓名, contact" in note for note in county.notes)


def test_another_key_gives_other_ids(tmp_path, monkeypatch):
    folder = write_county(exports.frames(exports.core()), tmp_path)
    ids = []
    for key in ("one", "other", "one"):
        monkeypatch.setenv(KEY_VARIABLE, key)
        ids.append(sorted(read_county(folder, pseudonymise=True).frame("households").household_id))
    assert ids[0] == ids[2] != ids[1]
    assert pseudonym("h01", b"one") in ids[0]


def test_pseudonymise_needs_a_key(tmp_path, monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    with pytest.raises(UsageError, match=KEY_VARIABLE):
        read_county(write_county(exports.frames(exports.core()), tmp_path), pseudonymise=True)


@pytest.mark.parametrize(
    ("header", "values", "personal"),
    [
        ("户主姓名", ["x"], True),
        ("name", ["x"], True),
        ("Head Name", ["x"], True),
        ("联系电话", ["x"], True),
        ("mobile", ["x"], True),
        ("身份证号", ["x"], True),
        ("village_name", ["x"], False),
        ("乡镇名称", ["x"], False),
        ("remark", ["13800138000", "13900139000", "see above"], True),
        ("remark", ["13800138000", "a", "b", "c"], True),  # one person's number is one too many
        ("备注", ["a", "b", "11010519491231002X 张三 13812345678"], True),
        ("备注", ["a", "b", "张三，身份证11010519491231002x"], True),
        ("备注", ["电话：138-1234-5678"], True),
        ("备注", ["+86 138 1234 5678"], True),
        ("备注", ["2020年12月3日走访，收入13812元"], False),
        ("digest", ["a13812345678b", "0c11010519491331002"], False),  # month 13; a hash's digits
        ("share", ["0.13812345678"], False),
        ("code", ["5301212020123100012"], False),  # 19 digits
        ("epoch", ["1609459200000"], False),
        ("remark", ["110101199003070011"], True),
        ("remark", ["110101"], False),
        ("serial", ["13010200101"], True),  # eleven digits from 13…: a phone for all we can tell
    ],
)
def test_what_looks_personal(tmp_path, header, values, personal):
    import ibis

    path = tmp_path / "households.csv"
    rows = [f"h{i},t,v,general,{value}" for i, value in enumerate(values)]
    path.write_text(
        "\n".join([f"household_id,township,village,registration,{header}", *rows]), encoding="utf-8"
    )
    raw, _ = open_raw_table(ibis.duckdb.connect(), Source("households", path, "csv"))
    assert raw is not None
    assert bool(personal_columns(raw)) == personal


def test_serial_numbers_of_rows_are_not_people(tmp_path):
    rows = exports.core()
    for i, row in enumerate(rows["income"]):
        row["row_id"] = str(987654321098765432 + i)  # 18 digits, but no birth date inside
    county = read_county(write_county(exports.frames(rows), tmp_path))
    assert county.frame("income").row_id.notna().all()


def test_one_value_in_a_column_nobody_reads_is_refused(tmp_path):
    rows = exports.core()
    for row in rows["members"]:
        row["备注"] = ""
    rows["members"][0] |= {"备注": "11010519491231002X 张三 13812345678", "birth_month": "never"}
    folder = write_county(exports.frames(rows), tmp_path, "csv")
    with pytest.raises(
        InputRefused, match=r"members\.csv: personal data in column '备注'.*remove"
    ) as refused:
        read_county(folder, max_rejected=1)
    assert "13812345678" not in str(refused.value)


def test_under_a_key_no_value_reaches_the_rejected_rows(tmp_path, monkeypatch):
    rows = exports.core()
    secret = "11010519491231002X 张三 13812345678"
    for row in rows["members"]:
        row |= {"备注": "", "health": "healthy"}
    # The first row is rejected for its birth month; of the second the cell that holds the secret is lost.
    rows["members"][0] |= {"备注": secret, "birth_month": "never"}
    rows["members"][1]["health"] = secret
    rows["households"][0]["village"] = secret
    folder = write_county(exports.frames(rows), tmp_path, "csv")
    monkeypatch.setenv(KEY_VARIABLE, "a secret of the office")
    county = read_county(folder, pseudonymise=True, max_rejected=1)
    # An optional cell takes no row with it any more: it is told by itself.
    assert len(county.rejected) == len(county.cells) == 1
    everything = " ".join(county.frame(t).to_csv() for t in county.tables)
    everything += county.rejected.to_csv() + county.cells.to_csv()
    for part in ("11010519491231002X", "13812345678", "张三"):
        assert part not in everything
    assert pseudonym(secret, b"a secret of the office") in set(county.frame("households").village)
    assert any("keyed in columns health" in note for note in county.notes)


def test_ids_that_are_serial_numbers_are_not_people(tmp_path):
    rows = exports.core()
    old = {row["household_id"] for row in rows["households"]}
    new = {h: str(13800000000 + i) for i, h in enumerate(sorted(old))}  # eleven digits, as phones have
    for table in rows.values():
        for row in table:
            row["household_id"] = new[row["household_id"]]
    assert set(
        read_county(write_county(exports.frames(rows), tmp_path)).frame("households").household_id
    ) == set(new.values())
    # One citizen's number among them is no serial number.
    rows["households"].append(rows["households"][0] | {"household_id": "11010519491231002X"})
    with pytest.raises(InputRefused, match="'household_id'"):
        read_county(write_county(exports.frames(rows), tmp_path / "again"))
