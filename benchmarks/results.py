"""Make the results of `riskmodel bench` anew and put them where they are told: docs/bench.md and README.md.

``python benchmarks/results.py --eph eph_panel.csv.gz --teen-poverty teen_poverty.csv``

Runs the whole bench (counties and real panels, about 25 minutes of processor time; one that was stopped goes
on where it was), then writes between the marks of both documents the commit, what it cost and what it found.
``--quick`` and ``--panel ID`` show the path and write nothing into the documents; ``--only-write`` takes what
lies in ``--out``.
"""

from __future__ import annotations

import argparse
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# How the two findings over all panels begin in bench.md.
FOUND = re.compile(r"^\* ([^:]+): on (\d+) of (\d+) panels? a simple method", re.MULTILINE)


def main() -> None:
    args = arguments()
    revision = git("describe", "--always", "--dirty", "--exclude", "*")
    cost = "" if args.only_write else run_bench(args)
    results = (args.out / "bench.md").read_text(encoding="utf-8")
    told = findings(results)
    print(f"commit {revision}. {cost}\n{told}")
    if args.quick or args.panel:
        return
    said = f"**The results below are of commit {revision}.**"
    page = ROOT / "docs" / "bench.md"
    text = between(page.read_text(encoding="utf-8"), "measured", f"{said} {cost}".strip())
    text = between(text, "found", f"In full: {told}")
    head = text[: text.index("<!-- results -->")]
    page.write_text(f"{head}<!-- results -->\n\n{results}", encoding="utf-8")
    readme = ROOT / "README.md"
    told = f"In full ([docs/bench.md](docs/bench.md), commit {revision}): {told}"
    readme.write_text(between(readme.read_text(encoding="utf-8"), "found", told), encoding="utf-8")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--eph", type=Path, help="as of `riskmodel bench`; skipped with its reason without")
    parser.add_argument("--teen-poverty", type=Path, help="the same")
    parser.add_argument("--jobs", type=int, default=2, help="panels at once")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "bench")
    parser.add_argument("--quick", action="store_true", help="a small size; the documents stay as they are")
    parser.add_argument("--panel", action="append", default=[], help="only this; repeatable")
    parser.add_argument("--only-write", action="store_true", help="what lies in --out is not made again")
    return parser.parse_args()


def run_bench(args: argparse.Namespace) -> str:
    """Run the bench and say what it cost."""
    command = [sys.executable, "-c", "from riskmodel.cli import main; main()", "bench", "bench"]
    command += ["--out", str(args.out), "--store", str(args.out / "mlflow.db"), "--jobs", str(args.jobs)]
    for option in ("eph", "teen_poverty"):
        if file := getattr(args, option):
            command += [f"--{option.replace('_', '-')}", str(file)]
    for panel in args.panel:
        command += ["--panel", panel]
    start = time.perf_counter()
    subprocess.run([*command, "--quick"] if args.quick else command, check=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy, clock = (used.ru_utime + used.ru_stime) / 60, (time.perf_counter() - start) / 60
    return (
        f"This run took {busy:.1f} minutes of processor time, {clock:.1f} by the clock; "
        "panels kept from an earlier run are not in it."
    )


def findings(results: str) -> str:
    """Return the findings over all panels in one sentence."""
    found = [f"{by.lower()}, on {some} of {every}" for by, some, every in FOUND.findall(results)]
    if not found:
        raise SystemExit("bench.md names no findings over all panels: has its wording changed?")
    return (
        "panels where a simple method (rules, past income, scorecard, a short regression) wins or is not "
        f"shown to lose: {'; '.join(found)}."
    ).replace("(auc)", "(AUC)")


def between(text: str, mark: str, new: str) -> str:
    """Replace what stands between ``<!-- mark -->`` and ``<!-- /mark -->``."""
    pattern = re.compile(rf"(<!-- {mark} -->)(.*?)(<!-- /{mark} -->)", re.DOTALL)
    out, times = pattern.subn(lambda m: f"{m[1]}{new}{m[3]}", text)
    if times != 1:
        raise SystemExit(f"the mark <!-- {mark} --> stands {times} times in the document, not once")
    return out


def git(*what: str) -> str:
    return subprocess.run(
        ["git", "-C", str(ROOT), *what], capture_output=True, text=True, check=True
    ).stdout.strip()


if __name__ == "__main__":
    main()
