"""Builds the offline kit for an office's computer: wheels by the lock, scripts to install and start, manual.

``make bundle`` runs it. What is downloaded are exactly the versions of ``requirements/lock.txt``, each with
its hash; on the office's computer nothing is downloaded.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

HOME = Path(__file__).resolve().parent
ROOT = HOME.parent
LOCK = ROOT / "requirements" / "lock.txt"
PYTHON = "3.11"  # wheels with compiled code are of one version
EXTRAS = ("office", "paper")


@dataclass(frozen=True)
class System:
    """One kind of computer: how uv and pip call it, and its scripts."""

    name: str
    uv: str
    tags: tuple[str, ...]
    scripts: tuple[str, ...]


SYSTEMS = {
    "windows": System(
        "windows", "x86_64-pc-windows-msvc", ("win_amd64",), ("install.bat", "start.bat", "shortcut.ps1")
    ),
    "linux": System(
        "linux",
        "x86_64-manylinux_2_28",
        ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64",
         "manylinux_2_12_x86_64", "manylinux2010_x86_64", "manylinux_2_5_x86_64", "manylinux1_x86_64",
         "linux_x86_64"),
        ("install.sh", "start.sh", "shortcut.sh"),
    ),
}  # fmt: skip


def run(*command: str | Path, cwd: Path = ROOT, **more: str) -> str:
    """Run a program and return what it says; its own words are shown where it fails."""
    environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"} | more
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command[:6]))} … failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def lock_for(system: System, out: Path) -> Path:
    """Write what a computer needs, at the versions of the lock, with hashes and no address."""
    path = out / f"requirements-{system.name}.txt"
    extras = [part for extra in EXTRAS for part in ("--extra", extra)]
    run(
        Path(sys.executable).with_name("uv"), "pip", "compile", "--quiet", "--python-version", PYTHON,
        "--python-platform", system.uv, "--generate-hashes", "--no-header", "--no-annotate",
        "--no-emit-index-url", "--no-emit-find-links", *extras, "--constraint", LOCK, "pyproject.toml",
        "-o", path,
    )  # fmt: skip
    return path


def requirements(path: Path) -> list[str]:
    """Return the names and versions of a file of requirements."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [
        line.split()[0].rstrip("\\") for line in lines if "==" in line and not line.startswith((" ", "#"))
    ]


def download(system: System, listed: Path, wheels: Path) -> None:
    """Download the wheels of one kind of computer, each against its hash; no source is ever built."""
    tags = [part for tag in system.tags for part in ("--platform", tag)]
    run(
        sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes",
        "--only-binary", ":all:", "--implementation", "cp", "--python-version", PYTHON, *tags,
        "--dest", wheels, "--requirement", listed,
    )  # fmt: skip


def own_wheel(out: Path) -> Path:
    """Build riskmodel itself."""
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out)
    return next(out.glob("riskmodel-*.whl"))


def write_scripts(system: System, out: Path) -> None:
    """Write the scripts; Windows' command language needs its own line ends."""
    for name in system.scripts:
        text = (HOME / name).read_text(encoding="utf-8").replace("\r\n", "\n")
        if name.endswith((".bat", ".ps1")):
            text = text.replace("\n", "\r\n")
        # PowerShell of Windows takes a file without this mark for one of the old code page.
        mark = "\ufeff" if name.endswith(".ps1") else ""
        (out / name).write_bytes((mark + text).encode("utf-8"))
        if name.endswith(".sh"):
            (out / name).chmod(0o755)


def write_manual(out: Path) -> list[Path]:
    """Write the manual as a page and, where a browser is here, as two pages to print."""
    sys.path.insert(0, str(ROOT / "src"))
    from riskmodel.presentation import print_pdf
    from riskmodel.presentation.visit_sheets import find_browser

    page = out / "manual.html"
    shutil.copyfile(HOME / "manual.html", page)
    return [page] + ([print_pdf(page, out / "manual.pdf")] if find_browser() else [])


def digest(path: Path) -> str:
    """Return a file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def contents(folder: Path) -> Iterator[Path]:
    """Yield the kit's files in a fixed order."""
    yield from (p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != "MANIFEST.json")


def build(out: Path, systems: Sequence[str], wheels: bool = True) -> list[Path]:
    """Build the kit of each kind of computer: a folder, and the same as one zip file."""
    made = []
    for system in (SYSTEMS[name] for name in systems):
        folder = out / f"riskmodel-office-{system.name}"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "wheels").mkdir(parents=True)
        write_scripts(system, folder)
        write_manual(folder)
        if wheels:
            download(system, lock_for(system, folder), folder / "wheels")
            own_wheel(folder / "wheels")
        files = {p.relative_to(folder).as_posix(): digest(p) for p in contents(folder)}
        listed = {"system": system.name, "python": PYTHON, "files": files}
        (folder / "MANIFEST.json").write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
        made.append(folder)
        packed = zipfile.ZipFile(folder.with_suffix(".zip"), "w", zipfile.ZIP_STORED)
        with packed:
            for path in [*contents(folder), folder / "MANIFEST.json"]:
                packed.write(path, f"{folder.name}/{path.relative_to(folder).as_posix()}")
    return made


def check(folder: Path) -> str:
    """Check a kit: its files, a wheel for every requirement and, on such a computer, the installation."""
    listed = json.loads((folder / "MANIFEST.json").read_text(encoding="utf-8"))
    wrong = [name for name, told in listed["files"].items() if digest(folder / name) != told]
    if wrong:
        raise SystemExit(f"{folder}: not as it was built: {', '.join(wrong)}")
    system = SYSTEMS[listed["system"]]
    needed = folder / f"requirements-{system.name}.txt"
    with tempfile.TemporaryDirectory() as home:
        # uv judges markers as the other computer would; pip takes this one's.
        run(
            Path(sys.executable).with_name("uv"), "pip", "install", "--quiet", "--dry-run", "--offline",
            "--no-index", "--find-links", folder / "wheels", "--require-hashes", "--only-binary", ":all:",
            "--python-platform", system.uv, "--python-version", PYTHON, "--target", home,
            "--requirement", needed,
        )  # fmt: skip
        said = f"{folder.name}: {len(requirements(needed))} requirements, each has its wheel"
        if not sys.platform.startswith(system.name):
            return f"{said}; installing and starting was not run: this is no {system.name}"
        return f"{said}; {_install(folder, Path(home) / 'kit')}"


def _install(folder: Path, copy: Path) -> str:
    """Install a copy of the kit by its own script, without a network, and ask the program something."""
    shutil.copytree(folder, copy)
    closed = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_NO_INDEX": "1", "PYTHONPATH": ""}
    run("sh", copy / "install.sh", cwd=copy, **closed, RISKMODEL_NO_SHORTCUT="1", PYTHON=sys.executable)
    program = copy / "env" / "bin" / "riskmodel"
    rules = run(program, "rules", "--list", cwd=copy, **closed)
    page = run(
        copy / "env" / "bin" / "python",
        "-c",
        "import riskmodel.app.server; print('page')",
        cwd=copy,
        **closed,
    )
    if "national-2021" not in rules or page.strip() != "page":
        raise SystemExit(f"{folder}: installed, but the program does not answer as it should: {rules}{page}")
    return "installed offline by its own script into a new environment, program and page load"


def main() -> None:
    """Build and check what is asked for."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--out", type=Path, default=ROOT / "out" / "kit")
    options.add_argument("--system", action="append", choices=sorted(SYSTEMS), help="both by default")
    options.add_argument("--no-check", action="store_true")
    options.add_argument("--only-check", action="store_true", help="of kits that stand")
    given = options.parse_args()
    systems = given.system or sorted(SYSTEMS)
    stand = [given.out / f"riskmodel-office-{name}" for name in systems]
    for folder in stand if given.only_check else build(given.out, systems):
        size = sum(p.stat().st_size for p in contents(folder)) / 1e6
        sys.stdout.write(f"{folder}: {size:.0f} MB\n")
        if not given.no_check:
            sys.stdout.write(check(folder) + "\n")


if __name__ == "__main__":
    main()
