"""A registry: the only door of a family of declarations (models, metrics), each of which registers itself."""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar, Protocol, TypeVar

from riskmodel.errors import SpecError, did_you_mean
from riskmodel.io.arguments import field_problems

# A member's name is a column, an anchor and a word of the command line.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def _caller() -> str:
    """Return the module that called into this one."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__") in (__name__, "contextlib"):
        frame = frame.f_back
    return str(frame.f_globals.get("__name__"))


class Member(Protocol):
    """What a registry asks of its members: a name, and where it stands among the others."""

    @property
    def name(self) -> str:
        """Its name, unique in the family."""

    @property
    def order(self) -> int:
        """Its place in tables; lower comes first, equal places are ordered by name."""


M = TypeVar("M", bound=Member)


class Registry(Mapping[str, M]):
    """The members of one family by name, in the order in which they are shown.

    The family's package is imported, module by module, when the registry is first read: a module that lies in
    the package and registers a member needs to be named nowhere else.

    Parameters
    ----------
    kind
        What a member is, for messages ("model").
    package
        Package whose modules register the members.
    check : callable, optional
        Returns what else is wrong with a member, in words, beside the types of its fields and its name.
    """

    # Members of any family that code outside the package has registered: its files do not tell of them.
    others: ClassVar[list[object]] = []

    def __init__(
        self, kind: str, package: str, check: Callable[[M], Iterable[str]] = lambda member: ()
    ) -> None:
        self.kind = kind
        self.package = package
        self._check = check
        self._members: dict[str, M] = {}
        self._complete = False

    def register(self, member: M) -> M:
        """Add a member.

        Parameters
        ----------
        member
            Its name must not be taken, and its fields must hold what they are declared to.

        Returns
        -------
        Member
            The same.

        Raises
        ------
        SpecError
            If another member has the name, or something is missing or of the wrong kind: all that is wrong
            is said at once.
        """
        if not isinstance(getattr(member, "name", None), str):
            raise SpecError(f"a {self.kind} cannot be registered without a name: {member!r:.80}")
        problems = field_problems(member)
        if not problems and not _NAME.fullmatch(member.name):
            problems = [
                f"the name {member.name!r} must begin with a letter and hold letters, digits, _ and -"
            ]
        # What else a family asks for can be judged only where the fields are what they are declared to be.
        problems = problems or list(self._check(member))
        if problems:
            raise SpecError(f"{self.kind} {member.name!r} cannot be registered: {'; '.join(problems)}")
        if self._members.setdefault(member.name, member) is not member:
            raise SpecError(f"{self.kind} {member.name!r} is registered twice; give one of them another name")
        if not _caller().startswith(f"{__name__.partition('.')[0]}."):
            Registry.others.append(member)
        return member

    @contextmanager
    def including(self, member: M) -> Iterator[M]:
        """Have a member in the registry for the length of a ``with`` block.

        Parameters
        ----------
        member
            As in `register`.

        Yields
        ------
        Member
            The same.
        """
        self._load()
        try:
            yield self.register(member)
        finally:
            if self._members.get(member.name) is member:
                del self._members[member.name]
                Registry.others[:] = [other for other in Registry.others if other is not member]

    def unknown(self, name: str, also: str = "") -> SpecError:
        """Return the error for a name that no member has.

        Parameters
        ----------
        name
            The name asked for.
        also
            What else may be named, for the end of the message.

        Returns
        -------
        SpecError
            With the names there are, and the likeliest one.
        """
        meant = did_you_mean(name, self)
        return SpecError(f"no {self.kind} {name!r}; known: {', '.join(self)}{also}{meant}")

    def __getitem__(self, name: str) -> M:
        self._load()
        return self._members[name]

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(sorted(self._members, key=lambda name: (self._members[name].order, name)))

    def __len__(self) -> int:
        self._load()
        return len(self._members)

    def __repr__(self) -> str:
        return f"<{len(self)} {self.kind}s: {', '.join(self)}>"

    def _load(self) -> None:
        """Import the family's modules, once."""
        if self._complete:
            return
        self._complete = True
        package = importlib.import_module(self.package)
        for module in pkgutil.iter_modules(package.__path__, f"{self.package}."):
            importlib.import_module(module.name)
