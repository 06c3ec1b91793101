"""The researcher's verb: every model and rule set on every panel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from riskmodel.cli.common import STORE, JsonFlag, StoreOption, say, tell, verb


@verb
def bench(
    declaration: Annotated[str, typer.Argument(metavar="BENCH.yaml", help="An id or a file.")] = "bench",
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write to.")] = Path(
        "out/bench"
    ),
    eph: Annotated[Path | None, typer.Option("--eph", metavar="FILE", help="The EPH panel.")] = None,
    teen: Annotated[
        Path | None, typer.Option("--teen-poverty", metavar="FILE", help="teen_poverty.csv of panelr.")
    ] = None,
    panel: Annotated[
        list[str] | None, typer.Option("--panel", metavar="ID", help="Only this; repeatable.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=16, help="Panels at once, a core each.")] = 2,
    quick: Annotated[bool, typer.Option("--quick", help="A small size that only shows the path.")] = False,
    lang: Annotated[str, typer.Option("--lang", help="zh or en.")] = "en",
    store: StoreOption = STORE,
    as_json: JsonFlag = False,
) -> None:
    """Run all models and rule sets on simulated and real panels, into one MLflow experiment and one page.

    A run that was stopped goes on where it was: panels that are done lie in DIR.
    """
    from riskmodel import benchmark as benches

    declared = benches.load_benchmark(declaration)
    sources = {name: file for name, file in (("eph", eph), ("teen_poverty", teen)) if file is not None}
    done = benches.run_benchmark(
        declared, out, store, quick=quick, sources=sources, only=panel, progress=say, jobs=jobs
    )
    if not done.done:
        say(f"riskmodel: no panel was run: {done.skipped}")
        raise typer.Exit(1)
    page = benches.write_benchmark_page(done, out, lang)
    summary = {
        "out": str(page),
        "experiment": declared.id,
        "quick": quick,
        "seconds": round(done.seconds),
        "panels": {one.panel.id: {"run_id": one.run_id, "seconds": round(one.seconds)} for one in done.done},
        "skipped": done.skipped,
        "left_out": done.left_out,
        "findings": [
            message.text("zh" if lang == "zh" else "en") for message in benches.benchmark_findings(done)
        ],
    }
    tell(summary, as_json)
