"""What a reproducer is made from."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from harness.causes.model import Finding
from harness.model.record import CellRecord


class Lines(msgspec.Struct, frozen=True, kw_only=True):
    """The Python packages of a cell, one requirement a line.

    ``whole`` says that they are the exact pins of all that was installed.
    """

    text: str
    whole: bool = True


class Compile(msgspec.Struct, frozen=True, kw_only=True):
    """The question that uv's resolver answered with no.

    ``wheels_only`` are the packages that are not built from source, ``constraints`` what the
    CUDA that was asked for holds them to.
    """

    requirements: tuple[str, ...]
    wheels_only: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """A bridge that the cell's R does not bring, and that is built from source.

    ``tree`` is where it came from, where that was no release: ``folder``, ``git``.
    """

    package: str
    version: str
    tree: str = ""
    commit: str | None = None


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one cell.

    ``python`` is the version, exact where it is known; ``r`` that of the R, ``None`` where the
    cell has none.  ``suite`` is the Debian suite that ships this R, and ``rolling`` says that it
    has moved on since.  ``system`` is where it was measured.  ``control_passes`` is ``None``
    where nothing is known of a control.  ``example`` is the text of the documented example that
    failed, as the harness has it, ``corrected`` what the cell had made of it by then.
    """

    record: CellRecord
    python: str
    r: str | None
    lock: Lines
    compile: Compile | None = None
    build: Build | None = None
    suite: str | None = None
    rolling: bool = False
    system: str = ""
    cause: Finding | None = None
    control_passes: bool | None = None
    example: str = ""
    corrected: str = ""

    @property
    def path(self) -> str:
        """The axis ``path``."""
        return self.record.axes.get("path") or ""

    @property
    def framework(self) -> str:
        """The name of the framework, empty for none."""
        return re.split(r"[\[=]", self.record.axes.get("framework") or "")[0]

    def identity(self, part: str) -> dict[str, Any]:
        """What was read back of one part: ``r``, ``bridge``, ``modules``."""
        found = self.record.identity.get(part)
        return found if isinstance(found, dict) else {}

    @property
    def modules(self) -> dict[str, str]:
        """Versions of the framework and numpy: as read back, or as installed where none were."""
        seen = self.identity("modules")
        if seen:
            return {name: str(version) for name, version in seen.items() if version}
        pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", self.lock.text, re.MULTILINE))
        names = (self.framework, f"{self.framework}-cpu", "numpy")
        return {name: pins[name] for name in names if name in pins}

    @property
    def bridge(self) -> str:
        """The bridge with its version, empty for none: ``reticulate 1.28``."""
        if self.path == "rpc":
            transport = self.record.axes.get("transport") or ""
            seen = self.identity("bridge")
            named = f" ({seen['name']} {seen.get('version')})" if seen.get("name") else ""
            return f"rpc over {transport}{named}"
        name = {"rpython": "rPython"}.get(self.path, self.path)
        if self.path in {"native", "system"}:
            return ""
        version = self.identity("bridge").get("version") or self.record.axes.get("bridge") or ""
        return f"{name} {version}".strip()

    @property
    def title(self) -> str:
        """What this is about, in one line without an end."""
        parts = [self.bridge or {"system": "system2()"}.get(self.path, "Python alone")]
        parts += [f"R {self.r}"] if self.r else []
        parts.append(f"Python {self.python}")
        framework = self.framework
        if framework:
            version = self.identity("modules").get(framework)
            asked = self.record.axes.get("framework") or framework
            parts.append(f"{framework} {version}" if version else asked.replace("==", " "))
        return ", ".join(parts)

    @property
    def message(self) -> str:
        """What the cell said, in one line, as it reads in the reproducer's folder."""
        said = " ".join((self.record.message or "").split())
        return said.replace("ENV/bin/python", ".venv/bin/python")
