"""The page as NiceGUI draws it, without a browser: words, clicks, errors as sentences."""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from riskmodel import app
from riskmodel.app.desk import Desk
from riskmodel.app.jobs import Job
from riskmodel.errors import UsageError
from riskmodel.month import RulesSaid

pytest.importorskip("nicegui", reason="needs the extra office")


def use(desk: Desk, steps: Callable[[Any], Awaitable[None]]) -> None:
    """Open the page of a desk and do the steps, as a browser's user would."""
    from nicegui.testing import user_simulation

    from riskmodel.app.frame import Frame
    from riskmodel.app.views import VIEWS

    async def go() -> None:
        async with user_simulation(lambda: Frame(desk, lambda: None).draw(VIEWS)) as user:
            await user.open("/")
            await steps(user)

    asyncio.run(go())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_check_month_and_households_by_clicking(desk: Desk) -> None:
    async def steps(user: Any) -> None:
        await user.should_see("返贫致贫监测")
        user.find(marker="tab-data").click()
        await user.should_see("还没有检查")
        user.find(marker="choose").click()
        await user.should_see("数据可以使用，截至 2021-06-30")
        await user.should_see("没有剔除的行")
        user.find(marker="tab-month").click()
        await user.should_see(marker="first-use")  # asked once
        user.find(marker="signed-by").type("某县乡村振兴局")
        user.find(marker="document").type("1")
        user.find(marker="sign").click()
        await user.should_see(marker="train", retries=30)  # no model yet
        user.find(marker="tab-households").click()
        await user.should_see(marker="households")
        user.find(marker="tab-returned").click()
        await user.should_see(marker="drop")

    use(desk, steps)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_error_is_a_sentence_in_the_language_of_the_page(desk: Desk) -> None:
    async def steps(user: Any) -> None:
        desk.job = Job("month", "refused", error="drop filled workbooks in first")
        desk.revision += 1
        await user.should_see("先把填好的名单拖进来", retries=20)
        desk.job = Job("month", step=2, steps=6, lines=["2/6 rules"])
        await user.should_see("第 2 步，共 6 步：按规则判定", retries=20)
        await user.should_see(marker="cancel")

    use(desk, steps)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_line_that_is_typed_goes_to_the_month(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    for name, value in {"usable": True, "signed": True, "model": "county@1"}.items():
        monkeypatch.setattr(Desk, name, property(lambda _, value=value: value), raising=False)
    monkeypatch.setattr(Desk, "days", lambda _: [dt.date(2021, 5, 31)])
    monkeypatch.setattr(Desk, "make_month", lambda _, day, visits, names, by: asked.append((day, by)))

    async def steps(user: Any) -> None:
        user.find(marker="tab-month").click()
        await user.should_see(marker="make")
        user.find(marker="make").click()
        user.find(marker="line").type("2021=7000")
        user.find(marker="make").click()

    use(desk, steps)
    day = dt.date(2021, 5, 31)
    assert asked == [(day, RulesSaid()), (day, RulesSaid(line="2021=7000"))]


@pytest.fixture
def without_nicegui(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [
        n
        for n in sys.modules
        if n.startswith("riskmodel.app.") and n.split(".")[2] in ("server", "frame", "views")
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "nicegui", None)


@pytest.mark.usefixtures("without_nicegui")
def test_without_the_extra_it_says_how_to_get_it(desk: Desk) -> None:
    with pytest.raises(UsageError, match=r"pip install 'riskmodel\[office\]'"):
        app.open_page(desk, None, print)


def test_the_server_listens_on_this_machine_alone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    import uvicorn

    from riskmodel.app import server
    from riskmodel.app.guard import Guard

    seen: dict[str, Any] = {}

    def run(self: uvicorn.Server, sockets: Any) -> None:
        seen.update(address=sockets[0].getsockname(), app=self.config.app)
        sockets[0].close()

    monkeypatch.setattr(uvicorn.Server, "run", run)
    monkeypatch.setattr(server, "create_application", lambda desk, port, end: Guard(lambda *_: None, port))
    said: list[str] = []
    server.serve(desk, None, said.append, browser=False)
    host, port = seen["address"]
    assert host == "127.0.0.1"
    assert isinstance(seen["app"], Guard)
    assert f"http://127.0.0.1:{port}/open?token=" in said[0]


def test_the_verb_is_there_and_refuses_a_folder_that_is_not(tmp_path: Any) -> None:
    from typer.testing import CliRunner

    from riskmodel.cli.app import app as verbs

    done = CliRunner().invoke(verbs, ["office", "--data", str(tmp_path / "nowhere"), "--no-browser"])
    assert done.exit_code == 1
    assert "nowhere" in done.output
