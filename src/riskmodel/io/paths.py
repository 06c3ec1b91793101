"""Where files are: the only module that knows.

An installed wheel carries ``features/``, ``experiments/`` and ``reports/templates/`` under
``riskmodel/_data``; a checkout has them at its top. The packaged copy is looked at first, so an
installed package needs no checkout. Every public function that reads a declaration also takes an
explicit path.
"""

from __future__ import annotations

from pathlib import Path

from riskmodel.errors import InputMissing, InputRefused, UsageError, did_you_mean

_PACKAGE = Path(__file__).resolve().parents[1]
_CHECKOUT = _PACKAGE.parent.parent

DEFAULT_OUT = Path("out")
DEFAULT_STORE = DEFAULT_OUT / "mlflow.db"


def folder(kind: str) -> Path:
    """Return the folder that holds declarations of one kind.

    Parameters
    ----------
    kind
        ``"features"``, ``"experiments"`` or ``"reports/templates"``.

    Returns
    -------
    Path
        The packaged copy if there is one, else the checkout's.

    Raises
    ------
    UsageError
        If neither is there.
    """
    for base in (_PACKAGE / "_data", _CHECKOUT):
        if (base / kind).is_dir():
            return base / kind
    raise UsageError(f"no folder {kind!r} in the package or its checkout; reinstall riskmodel")


def find_declaration(name: str | Path, packaged: Path, what: str) -> Path:
    """Return where a declaration stands: a packaged one by its id, or a file of the user's.

    Parameters
    ----------
    name
        An id such as ``household-v1``, or a path that ends in ``.yaml``.
    packaged
        The folder of the packaged ones; `folder` knows those outside the code.
    what
        What it declares ("rule set"), for the message.

    Returns
    -------
    Path
        An existing file. A path that is not there means the packaged one of that name, if there is one.

    Raises
    ------
    UsageError
        If there is none of that id; the message lists what there is.
    InputMissing
        If a path is given and there is no such file.
    """
    given = Path(name)
    is_file = given.suffix in {".yaml", ".yml"}
    if is_file and given.is_file():
        return given
    path = packaged / f"{given.stem if is_file else name}.yaml"
    if path.is_file():
        return path
    known = ", ".join(sorted(p.stem for p in packaged.glob("*.yaml"))) or "none"
    if is_file:
        raise InputMissing(f"no {what} file {str(name)!r}; packaged ids: {known}")
    meant = did_you_mean(str(name), known.split(", "))
    raise UsageError(f"no {what} {str(name)!r}; known: {known}; or give a path to a .yaml file{meant}")


def entries_within(folder: Path, home: Path | None = None) -> list[Path]:
    """Return what a folder of foreign files holds, sorted; links are followed only within it.

    Parameters
    ----------
    folder
        What is listed.
    home
        The folder that links may not lead out of; the listed one by default.

    Raises
    ------
    InputRefused
        If a link leads out: whoever made the folder could have any file of this machine read.
    """
    inside = sorted(folder.iterdir())
    root = (home or folder).resolve()
    for path in inside:
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            raise InputRefused(
                f"{path.name}: is a link that leads out of the folder; put the file itself there"
            )
    return inside
