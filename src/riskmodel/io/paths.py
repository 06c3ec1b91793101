"""Where files are: the only module that knows.

An installed wheel carries ``features/``, ``experiments/`` and ``reports/templates/`` under
``riskmodel/_data``; a checkout has them at its top. The packaged copy is looked at first, so an
installed package needs no checkout. Every public function that reads a declaration also takes an
explicit path.
"""

from __future__ import annotations

from pathlib import Path

from riskmodel.errors import InputMissing, UsageError

_PACKAGE = Path(__file__).resolve().parents[1]
_CHECKOUT = _PACKAGE.parent.parent

DEFAULT_OUT = Path("out")
DEFAULT_STORE = DEFAULT_OUT / "mlflow.db"


def folder(kind: str) -> Path:
    """Return the folder that holds declarations of one kind.

    Parameters
    ----------
    kind : str
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


def declaration(kind: str, name: str | Path) -> Path:
    """Find one declared YAML by id, or take an explicit path as it is.

    Parameters
    ----------
    kind : str
        As in `folder`.
    name : str or Path
        An id such as ``"household-v1"``, or a path that ends in ``.yaml``.

    Returns
    -------
    Path
        An existing file.

    Raises
    ------
    UsageError
        If there is none of that name; the message lists what there is.
    InputMissing
        If a path is given and there is no such file.
    """
    given = Path(name)
    if given.suffix in {".yaml", ".yml"} and given.is_file():
        return given
    home = folder(kind)
    stem = given.stem if given.suffix in {".yaml", ".yml"} else str(name)
    path = home / f"{stem}.yaml"
    if path.is_file():
        return path
    known = ", ".join(sorted(p.stem for p in home.glob("*.yaml"))) or "none"
    refused = InputMissing if given.suffix in {".yaml", ".yml"} else UsageError
    raise refused(f"no {kind} declaration {str(name)!r}; known: {known}; or give a path to a .yaml file")
