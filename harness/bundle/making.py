"""A plan into one file: prepared as for a run, taken out of its folders, packed."""

from __future__ import annotations

import hashlib
import lzma
import os
import platform
import shutil
import sys
import tarfile
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path
from typing import Final

import msgspec
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import harness
from harness.bundle import start
from harness.bundle.elf import Patcher, elf_files, needed_libc
from harness.bundle.manifest import HERE, Manifest, Part, Payload, Start, encode
from harness.bundle.moving import move_python, move_r
from harness.bundle.system import ask_python
from harness.errors import BuildFailure, MachineFault, Unavailable, Unsatisfiable
from harness.model.cell import Cell, Plan
from harness.model.environment import Interpreter, PythonEnvironment, RToolchain
from harness.model.status import Phase, Status
from harness.paths.base import BuildsForR, HasNeeds, IntegrationPath
from harness.provision.provisioner import Provisioner
from harness.provision.store import FolderStore, default_root
from harness.resolve import Resolver
from harness.workflow.bridges import bring_trees, read_bridges
from harness.workflow.display import QuietDisplay
from harness.workflow.preparing import Preparation, Prepared, Refusal
from harness.workflow.registry import paths

DISTRIBUTION: Final = "r-python-harness"
_SITE: Final = "harness"
_NOT_TAKEN: Final = shutil.ignore_patterns("__pycache__", "*.pyc")
_DATA: Final = {
    "support": "harness/support/data",
    "fixtures": "harness/probes/convert/fixtures",
}
"""What a checkout keeps in ``matrices``, and where an installation has it."""
_THOROUGH_UP_TO: Final = 400_000_000
"""Bytes up to which the archive is pressed for size; a framework's gigabytes, for time."""
_SHEBANG: Final = b"#!/usr/bin/env python3\n"
_OLDEST_HARNESS: Final = (3, 11)


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What came of making a bundle: its size in bytes and digest, and cells that it lacks."""

    manifest: Manifest
    size: int
    sha256: str
    refused: dict[str, str]


def make_bundle(
    plan: Plan,
    file: Path,
    *,
    system_site: bool = False,
    cran: str | None = None,
    bridges: tuple[str, ...] = (),
    notify: Callable[[str], None],
) -> Made:
    """Write everything that the cells of a plan need into ``file``.

    Parameters
    ----------
    system_site
        Leave the Pythons out: the cells get that of the machine that the bundle goes to.
    cran, bridges
        As for a run.

    Raises
    ------
    UsageError
        A bridge's source tree is none.
    MachineFault
        This machine lacks a program, or room.
    """
    patcher = Patcher()
    known = paths()
    with FolderStore(default_root(), notify=notify) as store:
        trees = bring_trees(read_bridges(bridges, known), store=store, notify=notify)
        provisioner = Provisioner(store, notify, cran=cran, trees=trees)
        bench = _Bench(plan, store, provisioner, known)
        prepared = {}
        for number, cell in enumerate(plan.cells, 1):
            notify(f"preparing {number} of {len(plan.cells)}: {cell.id}")
            prepared[cell.id] = bench.for_system(cell) if system_site else bench.whole(cell)
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=".bundle-") as name:
            packer = _Packer(Path(name) / "content", patcher, notify)
            cells = packer.cells(plan, prepared, known)
            begin = packer.harness()
            return _write(packer, plan, cells, begin, file, system_site=system_site)


class _Bench:
    """Prepares cells one by one, each thing once."""

    def __init__(
        self,
        plan: Plan,
        store: FolderStore,
        provisioner: Provisioner,
        known: dict[str, IntegrationPath],
    ) -> None:
        self._plan = plan
        self._store = store
        self._provisioner = provisioner
        self._paths = known
        self._shared = tuple(sorted({name for one in known.values() for name in one.r_packages}))
        self._preparation: Preparation | None = None

    def whole(self, cell: Cell) -> Prepared:
        """Return the cell's R and Python, or why it cannot have them."""
        if self._preparation is None:
            resolver = Resolver(self._store, self._provisioner.sources)
            known = tuple(self._paths.values())
            self._preparation = Preparation(self._provisioner, resolver, known, QuietDisplay())
            self._preparation.resolve(self._plan, self._store)
        preparation = self._preparation
        if not preparation.is_refused(cell):
            python, r = preparation.python_name(cell), preparation.r_name(cell)
            if not preparation.has(python):
                preparation.python(python, cell.axes)
            if r is not None and not preparation.has(r):
                preparation.r(r, cell.axes)
        return preparation.of_cell(cell, self._paths[cell.axes.path])

    def for_system(self, cell: Cell) -> Prepared:
        """Return the cell's R alone; what its Python lacks is seen where that is."""
        path = self._paths[cell.axes.path]
        if isinstance(path, BuildsForR):
            return _refused(
                f"the bridge of the path {path.name} is built for one Python, and --system-site "
                "leaves open which: make a bundle without it",
                Status.UNSUPPORTED,
            )
        if not path.uses_r:
            return Prepared()
        needs = [path.needs(probe, cell.axes) for probe in cell.probes] if isinstance(
            path, HasNeeds
        ) else []  # fmt: skip
        packages = {*path.r_packages, *(name for one in needs for name in one.r_packages)}
        bridge = path.bridge_package if path.bridge_package in path.r_packages else None
        try:
            toolchain = self._provisioner.r(
                cell.axes, sorted(packages), bridge, shared=self._shared
            )
        except BuildFailure as error:
            return _refused(str(error), Status.FAIL)
        except Unsatisfiable as error:
            return _refused(str(error), Status.UNSATISFIABLE)
        except Unavailable as error:
            return _refused(str(error), Status.UNAVAILABLE)
        return Prepared(r=toolchain)


class _Packer:
    """Copies what cells need into one folder, each thing once."""

    def __init__(self, content: Path, patcher: Patcher, notify: Callable[[str], None]) -> None:
        self.content = content
        self.parts: list[Part] = []
        self._patcher = patcher
        self._notify = notify
        self._numbers: dict[str, int] = defaultdict(int)
        self._moved: dict[tuple[str, str], Path] = {}
        self._pythons: dict[str, Interpreter] = {}
        content.mkdir()

    def cells(
        self, plan: Plan, prepared: dict[str, Prepared], known: dict[str, IntegrationPath]
    ) -> dict[str, Prepared]:
        """Return what was prepared for each cell, as it lies in the bundle."""
        wanted: dict[Path, set[str]] = defaultdict(set)
        libraries: dict[Path, dict[Path, None]] = defaultdict(dict)
        for cell in plan.cells:
            r, path = prepared[cell.id].r, known[cell.axes.path]
            if r is None or r.root is None or prepared[cell.id].refusal is not None:
                continue
            wanted[r.root] |= {*path.r_packages, *({path.bridge_package or ""} & {*r.packages})}
            if isinstance(path, HasNeeds):
                for probe in cell.probes:
                    wanted[r.root] |= {*path.needs(probe, cell.axes).r_packages}
            libraries[r.root].update(dict.fromkeys(r.binds))
        found: dict[str, Prepared] = {}
        for cell in plan.cells:
            one = prepared[cell.id]
            try:
                found[cell.id] = self._moved_cell(one, wanted, libraries)
            except Unavailable as error:
                found[cell.id] = _refused(str(error), Status.UNAVAILABLE)
        return found

    def harness(self) -> Start:
        """Copy the harness with its dependencies, and the Python that runs it."""
        if sys.version_info < _OLDEST_HARNESS:  # pragma: no cover - it would not have started
            raise MachineFault("the harness needs Python 3.11 or newer")
        interpreter = self._python(ask_python(Path(sys.executable).resolve()))
        site = self.content / _SITE
        site.mkdir()
        for one in _needed_distributions():
            _copy_distribution(one, site)
        own = Path(harness.__file__).parent
        ignore = shutil.ignore_patterns("__pycache__", "*.pyc", "frontend", "node_modules")
        shutil.copytree(own, site / "harness", ignore=ignore, dirs_exist_ok=True)
        for name, place in _DATA.items():
            folder = own.parent / "matrices" / name
            if folder.is_dir():
                shutil.copytree(folder, site / place, ignore=_NOT_TAKEN, dirs_exist_ok=True)
        self._part("harness", site, harness.__version__, DISTRIBUTION)
        program = interpreter.executable.relative_to(self.content)
        part = next(one for one in self.parts if one.folder == "/".join(program.parts[:2]))
        return Start(python=program.as_posix(), site=_SITE, libc=part.libc)

    # -- one thing

    def _moved_cell(
        self,
        one: Prepared,
        wanted: dict[Path, set[str]],
        libraries: dict[Path, dict[Path, None]],
    ) -> Prepared:
        if one.refusal is not None:
            return Prepared(refusal=one.refusal, resolve_s=one.resolve_s)
        python = None if one.python is None else self._environment(one.python)
        r = None if one.r is None else self._r(one.r, wanted, libraries)
        source = None
        if one.bridge_source is not None:
            source = self._copied("source", one.bridge_source, one.bridge_source.name, "")
        tree = one.bridge_tree
        if tree is not None:
            # Where it was built is nothing to who runs it.
            tree = msgspec.structs.replace(tree, place=Path(HERE))
        return Prepared(
            python=python,
            r=r,
            bridge_source=None if source is None else self._there(source),
            bridge_tree=tree,
            resolve_s=one.resolve_s,
        )

    def _r(
        self,
        r: RToolchain,
        wanted: dict[Path, set[str]],
        libraries: dict[Path, dict[Path, None]],
    ) -> RToolchain:
        root = r.root
        if root is None:
            move_r(r, (), (), self.content, self._patcher)  # which says why not
            raise AssertionError("an R of this machine was moved")
        if ("r", str(root)) not in self._moved:
            folder = self._next("r")
            self._notify(f"taking R {r.version} of {r.source} out of its root")
            moved = move_r(r, wanted[root], list(libraries[root]), folder, self._patcher)
            self._moved.update({("r", str(old)): new for old, new in moved.items()})
            # Two roots have their Rscript in the same place.
            self._moved["rscript", str(root)] = moved[r.rscript]
            self._moved["r", str(root)] = folder
            self._part("r", folder, f"R {r.version}", r.source)
        folder = self._moved["r", str(root)]
        env = {
            name: os.pathsep.join(
                str(self._there(self._moved["r", place])) if ("r", place) in self._moved else place
                for place in value.split(os.pathsep)
            )
            for name, value in r.env.items()
        }
        return RToolchain(
            version=r.version,
            rscript=self._there(self._moved["rscript", str(root)]),
            root=None,
            packages=r.packages,
            source=r.source,
            digest=r.digest,
            binds=(self._there(folder),),
            env=env,
            lent=r.lent,
        )

    def _environment(self, python: PythonEnvironment) -> PythonEnvironment:
        interpreter = self._python(python.interpreter)
        versions = python.lock.versions
        shown = ", ".join(f"{name} {versions[name]}" for name in sorted(versions)[:4])
        source = python.executable.parent.parent
        folder = self._copied("environment", source, shown or "no packages", "", (".complete",))
        programs = folder / "bin"
        for path in sorted(programs.iterdir()):
            # Scripts name the folder that they were made in, and no cell starts one.
            if not path.name.startswith(("python", "activate")) and not path.is_dir():
                path.unlink()
        for path in programs.glob("python*"):
            path.unlink()
        target = interpreter.executable.relative_to(self.content)
        (programs / "python").symlink_to(Path("..", "..", "..", target))
        series = interpreter.executable.name
        for name in {"python3", series} - {"python"}:
            (programs / name).symlink_to("python")
        overlay = None
        binds = [folder, interpreter.prefix]
        if python.overlay is not None:
            own = "" if python.overlay_lock is None else python.overlay_lock.text
            shown = ", ".join(line for line in own.split("\n") if "==" in line)
            overlay = self._copied("overlay", python.overlay, shown, "")
            binds.append(overlay)
        return PythonEnvironment(
            executable=self._there(programs / "python"),
            interpreter=msgspec.structs.replace(
                interpreter,
                executable=self._there(interpreter.executable),
                prefix=self._there(interpreter.prefix),
                libpython=None
                if interpreter.libpython is None
                else self._there(interpreter.libpython),
            ),
            lock=python.lock,
            binds=tuple(self._there(path) for path in binds),
            overlay=None if overlay is None else self._there(overlay),
            overlay_lock=python.overlay_lock,
        )

    def _python(self, interpreter: Interpreter) -> Interpreter:
        key = f"{interpreter.root or ''}{interpreter.executable}"
        if key not in self._pythons:
            folder = self._next("python")
            self._notify(f"taking Python {interpreter.version} along")
            self._pythons[key] = move_python(interpreter, folder, self._patcher)
            self._part("python", folder, f"Python {interpreter.version}", interpreter.source)
        return self._pythons[key]

    def _copied(
        self, kind: str, source: Path, version: str, origin: str, left: Iterable[str] = ()
    ) -> Path:
        key = (kind, str(source))
        if key not in self._moved:
            folder = self._next(kind)
            patterns = shutil.ignore_patterns("__pycache__", "*.pyc", "pyvenv.cfg", *left)

            def ignore(place: str, names: list[str]) -> set[str]:
                # Its tests are a tenth of what every environment has.
                own = {"tests"} & {*names} if "numpy" in Path(place).parts else set()
                return patterns(place, names) | own

            if source.is_dir():
                shutil.copytree(source, folder, symlinks=True, ignore=ignore)
            else:
                folder.mkdir(parents=True)
                shutil.copy2(source, folder)
            self._moved[key] = folder
            self._part(kind, folder, version, origin)
        return self._moved[key]

    def _next(self, kind: str) -> Path:
        number = self._numbers[kind]
        self._numbers[kind] += 1
        folder = self.content / kind / str(number)
        folder.parent.mkdir(exist_ok=True)
        return folder

    def _there(self, path: Path) -> Path:
        return Path(HERE, path.relative_to(self.content))

    def _part(self, kind: str, folder: Path, version: str, source: str) -> None:
        size, files, digest = _looked_at(folder)
        self.parts.append(
            Part(
                kind=kind,
                folder=folder.relative_to(self.content).as_posix(),
                version=version,
                source=source,
                size=size,
                files=files,
                digest=digest,
                libc=needed_libc(elf_files(folder)) if kind in {"r", "python"} else None,
            )
        )


def _refused(message: str, status: Status) -> Prepared:
    return Prepared(refusal=Refusal(status=status, phase=Phase.PROVISION, message=message))


# --- the harness itself ------------------------------------------------------------------------


def _needed_distributions() -> list[Distribution]:
    """Return the harness's dependencies, and what gives it paths or probes of third parties."""
    found: dict[str, Distribution] = {}
    plugins = {
        one.name
        for one in distributions()
        if any(point.group.startswith("harness.") for point in one.entry_points)
    }
    todo = [DISTRIBUTION, *sorted(plugins)]
    while todo:
        name = str(canonicalize_name(todo.pop()))
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError as error:
            raise MachineFault(
                f"the harness's own package {name} is not installed as one; install it with pip"
            ) from error
        for line in found[name].requires or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                todo.append(needed.name)
    return list(found.values())


def _copy_distribution(one: Distribution, site: Path) -> None:
    for file in one.files or ():
        # Programs lie outside of the folder; uv's takes 50 MB, and nothing is resolved there.
        if ".." in file.parts or file.suffix in {".pyc", ".pth"} or file.is_absolute():
            continue
        source, target = Path(str(one.locate_file(file))), site.joinpath(*file.parts)
        if source.is_file() and target.is_relative_to(site):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


# --- the file ----------------------------------------------------------------------------------


def _looked_at(folder: Path) -> tuple[int, int, str]:
    """Return bytes, number of files, and a digest of their names, modes and contents."""
    digest, size, files = hashlib.sha256(), 0, 0
    for path in sorted(folder.rglob("*")):
        files += 1
        digest.update(f"{path.relative_to(folder)}\0{os.access(path, os.X_OK)}\0".encode())
        if path.is_symlink():
            digest.update(os.fsencode(path.readlink()))
        elif path.is_file():
            content = path.read_bytes()
            size += len(content)
            digest.update(content)
    return size, files, digest.hexdigest()


def _write(
    packer: _Packer,
    plan: Plan,
    cells: dict[str, Prepared],
    begin: Start,
    file: Path,
    *,
    system_site: bool,
) -> Made:
    unpacked = sum(part.size for part in packer.parts)
    packed = packer.content.parent / start.PAYLOAD
    files = _pack(packer.content, packed, 6 if unpacked <= _THOROUGH_UP_TO else 1)
    manifest = Manifest(
        schema=start.SCHEMA,
        harness=harness.__version__,
        matrix=plan.matrix,
        machine=f"{platform.machine()} {platform.system()}",
        system_site=system_site,
        # Where the matrix lay is nothing to others.
        plan=msgspec.structs.replace(plan, source=Path(plan.source).name),
        cells=cells,
        parts=tuple(packer.parts),
        start=begin,
        payload=Payload(
            size=packed.stat().st_size,
            sha256=_sha256(packed),
            unpacked=unpacked,
            files=files,
        ),
    )
    draft = packer.content.parent / "draft"
    main = Path(start.__file__).read_bytes()
    with draft.open("wb") as target:
        target.write(_SHEBANG)
        with zipfile.ZipFile(target, "a", zipfile.ZIP_STORED, allowZip64=True) as bundle:
            bundle.writestr("__main__.py", main, zipfile.ZIP_DEFLATED)
            bundle.writestr(start.MANIFEST, encode(manifest), zipfile.ZIP_DEFLATED)
            bundle.write(packed, start.PAYLOAD)
    draft.chmod(0o755)
    draft.replace(file)
    refused = {name: one.refusal.message for name, one in cells.items() if one.refusal is not None}
    return Made(manifest=manifest, size=file.stat().st_size, sha256=_sha256(file), refused=refused)


def _pack(content: Path, packed: Path, preset: int) -> int:
    """Write the archive; return how many files, folders and links it has."""
    files = 0
    with (
        lzma.open(packed, "wb", preset=preset) as stream,
        tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in _in_order(content):
            member = archive.gettarinfo(path, path.relative_to(content).as_posix())
            # Hard links are copies of one another, and owners are of this machine.
            if member.islnk():
                member.type, member.linkname = tarfile.REGTYPE, ""
                member.size = path.stat().st_size
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mode = 0o755 if member.isdir() or os.access(path, os.X_OK) else 0o644
            files += 1
            if member.isreg():
                with path.open("rb") as opened:
                    archive.addfile(member, opened)
            else:
                archive.addfile(member)
    return files


def _in_order(content: Path) -> Iterator[Path]:
    """Yield what is in a folder, files of one kind together: they are pressed better so."""
    found = sorted(content.rglob("*"))
    folders = [path for path in found if path.is_dir() and not path.is_symlink()]
    links = [path for path in found if path.is_symlink()]
    others = {*folders, *links}
    files = [path for path in found if path not in others]
    yield from folders
    yield from sorted(files, key=lambda path: (path.suffix, path.name, str(path)))
    yield from links


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
