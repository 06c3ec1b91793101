"""A province of simulated counties from check to list: what each county costs, and a restart.

``python benchmarks/province.py --counties 4 --households 2000 --jobs 2 --out DIR``

Counties that are simulated already, and counties that were run, are kept: a run that was stopped is taken up.
Aim: ten counties × 100,000 households within 3 hours. What a larger province takes follows from the figures
of a county, as counties need nothing of each other: seconds add up and are divided by the counties at once,
memory is that of the counties at once.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import time
from pathlib import Path

from month import make_model
from riskmodel import province

MONTHS = 48
AS_OF = "2020-12-31"
AIM_HOURS = 3.0


def main() -> None:
    args = arguments()
    folder = args.out / "counties"
    for number in range(args.counties):
        target = folder / f"模拟县{number + 1:02}"
        if not (target / "about.yaml").is_file():
            # In a process of its own: making the data shall not count as memory of the run.
            maker = multiprocessing.get_context("spawn").Process(
                target=simulate, args=(target, args.households, number)
            )
            maker.start()
            maker.join()
    store = args.out / "logit.db"
    if not store.is_file():
        make_model(argparse.Namespace(model="logit", keep=args.out))
    visits = args.visits or args.households // 20
    options = {
        "model": "county@champion", "store": store, "listing": province.ListOptions(visits=visits),
        "engine": args.engine, "jobs": args.jobs, "memory": args.memory, "threads": args.threads,
    }  # fmt: skip
    used, start = processor_seconds(), time.monotonic()
    whole = province.run_province(folder, AS_OF, args.out / "run", say=print, **options)
    seconds, used = time.monotonic() - start, processor_seconds() - used
    start = time.monotonic()
    province.run_province(folder, AS_OF, args.out / "run", **options)
    again = time.monotonic() - start
    counties = [
        {k: record[k] for k in ("county", "state", "seconds", "peak_mib")} for record in whole.records
    ]
    figures = {
        "counties": counties,
        "households": whole.totals.get("households", 0),
        "seconds": round(seconds, 1),
        "processor_seconds": round(used, 1),
        "seconds_when_all_stand": round(again, 1),
        "aim_hours": AIM_HOURS,
        "failed": [record["county"] for record in whole.failed],
    }
    (args.out / "figures.json").write_text(
        json.dumps(figures, ensure_ascii=False, indent=2), encoding="utf-8"
    )
    print(json.dumps(figures, ensure_ascii=False, indent=2))


def processor_seconds() -> float:
    """Of this process and of those that it waited for."""
    every = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, every))


def simulate(target: Path, households: int, seed: int) -> None:
    from riskmodel import simulate as simulation

    asked = simulation.simulation_spec(households=households, months=MONTHS, seed=seed, futures=0)
    simulation.write_simulated_blocks(asked, target)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--counties", type=int, default=10)
    parser.add_argument("--households", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--visits", type=int, default=0, help="of each county; by default one in twenty")
    parser.add_argument("--engine", choices=("local", "spark"), default="local")
    parser.add_argument("--memory", default=None, help="of each county, such as 2GiB")
    parser.add_argument("--threads", type=int, default=None, help="of each county")
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
