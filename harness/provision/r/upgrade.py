"""Which packages come along where a newer suite lends an older one its libraries.

apt takes one version of each package, that of the suite unless it is told otherwise, and says what
does not go together.  So it is asked, with lists of its own and nothing installed, and told, until
all goes together: a C library of trixie brings ``base-files``, one with headers the linker.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from harness.errors import Unavailable
from harness.provision.pipconfig import redact
from harness.provision.process import run
from harness.provision.r.suites import suite_named
from harness.provision.r.system_packages import KEYRING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from harness.provision.process import Ran

_LIMIT_S: Final = 300.0
_ROUNDS: Final = 12
_INSTALLED: Final = re.compile(r"^Inst (\S+) (?:\[\S+\] )?\(\S+ ([^\[]*) \[", re.MULTILINE)
_SUBJECT: Final = re.compile(r"^ (\S+) : (.*(?:\n {2,}.*)*)", re.MULTILINE)
_OBJECT: Final = re.compile(r"(?:Pre-?Depends|Depends|Breaks|Conflicts): ([^\s:]+)")


def pins(names: Iterable[str], lender: str) -> str:
    """Return apt's preferences: of the suite ``lender``, these packages alone."""
    chosen = f"Package: {' '.join(names)}\nPin: release n={lender}\nPin-Priority: 990\n"
    # Not forbidden altogether: what a lent package needs, and the suite itself has not got, may
    # come from there.
    return f"{chosen}\nPackage: *\nPin: release n={lender}\nPin-Priority: 100\n"


def packages_to_lend(
    suite: str, packages: Sequence[str], lender: str, asked: Sequence[str], where: tuple[str, Path]
) -> tuple[str, ...]:
    """Return the packages that come from ``lender`` where ``asked`` goes with ``packages``.

    Parameters
    ----------
    suite, packages
        The suite that borrows, and what is installed of it.
    asked
        What is wanted of the lender.
    where
        The mirror, and an empty folder for apt's lists.

    Raises
    ------
    Unavailable
        If apt finds no way, or the mirror cannot be reached.
    """
    apt = _Apt(*where)
    apt.update((suite, lender))
    own = apt.labels(suite)
    lent = list(asked)
    for _round in range(_ROUNDS):
        ran = apt.simulate(suite, [*packages, *asked], (suite, lender), pins(lent, lender))
        if ran.ok:
            found = {
                name
                for name, labels in _INSTALLED.findall(ran.stdout)
                if own.isdisjoint(labels.split(", "))
            }
            return tuple(sorted(found))
        more = [name for name in clashing(ran.stdout, lent) if name not in lent]
        if not more:
            break
        lent += more
    said = "; ".join(" ".join(line.split()) for line in _clashes(ran)[:3]) or redact(ran.tail())
    raise Unavailable(
        f"Debian {lender} cannot lend {', '.join(asked)} to {suite}: its packages do not go "
        f"together: {said}"
    )


def clashing(said: str, lent: Sequence[str]) -> tuple[str, ...]:
    """Return the packages that must be of the newer suite too, by what apt said of a clash.

    Those that a package wants otherwise than they are; where these are of the newer suite
    already, the package that wants it.
    """
    found: dict[str, None] = {}
    for subject, wishes in _SUBJECT.findall(said):
        objects = [name for name in _OBJECT.findall(wishes) if name not in lent]
        found |= dict.fromkeys(objects or (subject.partition(":")[0],))
    return tuple(found)


def _clashes(ran: Ran) -> list[str]:
    return [f"{subject}: {wishes}" for subject, wishes in _SUBJECT.findall(ran.stdout)]


class _Apt:
    """apt with lists and preferences of its own; nobody needs to be root for it."""

    def __init__(self, mirror: str, folder: Path) -> None:
        self._mirror = mirror
        self._folder = folder
        for place in ("state/lists/partial", "cache/archives/partial", "preferences"):
            (folder / place).mkdir(parents=True)

    def update(self, suites: Sequence[str]) -> None:
        ran = self._run(suites, "update")
        if not ran.ok or not list((self._folder / "state/lists").glob("*_Packages*")):
            raise Unavailable(
                f"the lists of Debian {' and '.join(suites)} cannot be had from the mirror of this "
                f"machine's apt sources: {redact(ran.tail())}"
            )

    def labels(self, suite: str) -> frozenset[str]:
        """Return what apt calls a suite, where it says what it would install."""
        ran = self.simulate(suite, (), (suite,), "")
        return frozenset(
            label
            for _name, labels in _INSTALLED.findall(ran.stdout)
            for label in labels.split(", ")
        )

    def simulate(
        self, suite: str, packages: Sequence[str], suites: Sequence[str], preferences: str
    ) -> Ran:
        (self._folder / "preferences" / "harness").write_text(preferences)
        # What mmdebstrap's variant installs beside what is asked for.
        essential = f"?narrow(?or(?archive(^{suite}$),?codename(^{suite}$)),?essential)"
        return self._run(suites, "--simulate", "install", essential, "apt", *packages)

    def _run(self, suites: Sequence[str], *arguments: str) -> Ran:
        listed = self._folder / "sources.list"
        listed.write_text(
            "".join(f"deb [signed-by={KEYRING}] {self._mirror} {name} main\n" for name in suites)
        )
        options = {
            "Dir::Etc::SourceList": listed,
            "Dir::Etc::SourceParts": os.devnull,
            "Dir::Etc::Preferences": os.devnull,
            "Dir::Etc::PreferencesParts": self._folder / "preferences",
            "Dir::State": self._folder / "state",
            "Dir::State::status": os.devnull,
            "Dir::Cache": self._folder / "cache",
            "Acquire::Languages": "none",
            "APT::Install-Recommends": "false",
        }
        if os.geteuid() == 0:
            # apt's own user cannot write here.
            options["APT::Sandbox::User"] = "root"
        if any(suite_named(name).rolling for name in suites):
            # Its Release file can be past its date; the signature on it is verified all the same.
            options["Acquire::Check-Valid-Until"] = "false"
        given = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
        env = {**os.environ, "LC_ALL": "C.UTF-8"}
        return run(["apt-get", "--quiet", *given, *arguments], env=env, limit_s=_LIMIT_S)
