"""Simulating a large county: time as a ratio to writing its files alone, peak memory, and the same bytes.

``python benchmarks/simulate.py --households 100000 --months 60``
``python benchmarks/simulate.py --households 1000000 --months 36 --only-history``

The county is made and written block by block, as `riskmodel simulate` does, once without truth and once with
the truth of a sample. The reference reads the finished files and writes them again, with the same
compression. Aims: 100,000 households × 60 months in under 3 minutes and 6 GiB on 2 cores; the same seed
gives the same bytes (checked at a tenth of the size).
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from figures import write_figures
from memory import peak

AIM_SECONDS = 180.0
AIM_GIB = 6.0


def main() -> None:
    args = arguments()
    print(f"{args.households:,} households × {args.months} months")
    with tempfile.TemporaryDirectory() as folder:
        plain, again = Path(folder) / "plain", Path(folder) / "again"
        history = apart(made, plain, args.households, args.months, 0, 0)
        tell("history and files", history)
        figures = {"history and files s": history.cpu, "history and files GiB": history.gib}
        size = {"households": args.households, "months": args.months}
        limits = {"history and files s": 2 * AIM_SECONDS, "history and files GiB": AIM_GIB}
        if args.only_history:
            write_figures(args.json, "simulate", size, figures, limits)
            return
        reference = apart(rewritten, plain, again)
        ratio = history.cpu / reference.cpu
        print(
            f"  ratio to writing the same files alone ({reference.cpu:.1f} s of the processor): {ratio:.1f}"
        )
        told = apart(made, again, args.households, args.months, args.futures, args.truth_sample)
        tell(f"with truth of {args.truth_sample:,} ({args.futures:,} futures)", told)
        small = max(args.households // 10, 100)
        same = [digests(Path(folder) / name, small, args.months) for name in ("a", "b")]
        assert same[0] == same[1], "the same seed gave other bytes"
        print(f"  same seed, same bytes: {len(same[0])} files of {small:,} households")
        figures |= {"history / writing alone": ratio, "with truth s": told.cpu, "with truth GiB": told.gib}
        write_figures(args.json, "simulate", size, figures, limits)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--households", type=int, default=100_000)
    parser.add_argument("--months", type=int, default=60)
    parser.add_argument("--futures", type=int, default=1000)
    parser.add_argument("--truth-sample", type=int, default=2000)
    parser.add_argument("--only-history", action="store_true", help="No truth, no reference.")
    parser.add_argument("--json", type=Path, help="write the figures there")
    return parser.parse_args()


class Cost(NamedTuple):
    """Seconds by the clock and of the processor, and peak memory in GiB."""

    seconds: float
    cpu: float
    gib: float


def tell(what: str, cost: Cost) -> None:
    print(
        f"  {what}: {cost.seconds:.1f} s (aim: under {AIM_SECONDS:.0f}; {cost.cpu:.1f} s of the processor), "
        f"peak {cost.gib:.2f} GiB (aim: under {AIM_GIB:.0f})"
    )


def apart(work: Callable[..., None], *given: Any) -> Cost:
    """Run in a process of its own and measure it."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=measured, args=(there, work, given))
    process.start()
    answer = here.recv()
    process.join()
    return answer


def measured(answer: Any, work: Callable[..., None], given: tuple[Any, ...]) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    work(*given)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    answer.send(Cost(wall, cpu, peak()))


def made(out: Path, households: int, months: int, futures: int, sample: int) -> None:
    from riskmodel import simulate

    asked = simulate.simulation_spec(
        households=households, months=months, seed=1, futures=futures, truth_sample=sample or None
    )
    simulate.write_simulated_blocks(asked, out)


def rewritten(folder: Path, out: Path) -> None:
    import pyarrow.parquet as pq

    out.mkdir()
    for path in sorted(folder.glob("*.parquet")):
        pq.write_table(pq.read_table(path), out / path.name, compression="zstd")


def digests(out: Path, households: int, months: int) -> dict[str, str]:
    made(out, households, months, 100, 100)
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(out.iterdir()) if p.is_file()}


if __name__ == "__main__":
    main()
