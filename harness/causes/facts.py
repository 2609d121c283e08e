"""The closed list of facts: which pieces of evidence have a name, of which type, meaning what.

Who gathers evidence (the doctor, a cell's record, a pasted log) fills in those that it
knows; rules of the catalogue ask for them by name.  A rule that asks for a name which is not
here is a fault of the catalogue, so that a slip is found and not silently never true.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class FactKind(NamedTuple):
    """One name of the vocabulary.

    ``type`` is ``text``, ``version`` (digits and dots), ``number``, ``flag`` (true or false)
    or ``list`` (of texts).
    """

    type: str
    meaning: str


VOCABULARY: Final[dict[str, FactKind]] = {
    # --- where it happened
    "path": FactKind("text", "integration path: native, reticulate, system, rpython, rpc, rpy2"),
    "transport": FactKind("text", "of path rpc: socket, zmq, http, rserve"),
    "phase": FactKind("text", "where it got to: a phase of the vocabulary"),
    "status": FactKind("text", "how it ended: a status of the vocabulary"),
    "exit.code": FactKind("number", "exit status; 128 + n where a shell tells of signal n"),
    "exit.signal": FactKind("text", "name of the signal that ended it: SIGSEGV"),
    "hang": FactKind("flag", "did not end, and did no work, until its time limit"),
    "after_success": FactKind("flag", "all work was done and printed before it ended this way"),
    # --- machine
    "machine.arch": FactKind("text", "x86_64, aarch64"),
    "machine.libc": FactKind("version", "of the C library"),
    "machine.network": FactKind("flag", "a package index can be reached"),
    "cpu.flags": FactKind("list", "of /proc/cpuinfo: avx, avx2"),
    "memory.limit_mb": FactKind("number", "the smallest limit that holds for the process"),
    "gpu.count": FactKind("number", "NVIDIA devices that the driver tells of"),
    "gpu.capability": FactKind("version", "compute capability of the first device: 8.6"),
    "driver.version": FactKind("version", "of the NVIDIA driver"),
    "driver.cuda": FactKind("version", "newest CUDA that the driver knows"),
    "cuda.runtime": FactKind("version", "CUDA that the framework was built with"),
    "device.asked": FactKind("text", "cpu or cuda, as asked"),
    "device.got": FactKind("text", "cpu or cuda, as read back from a tensor"),
    # --- R and the bridge
    "r.found": FactKind("flag", "an R that can be started is there"),
    "r.version": FactKind("version", "of R"),
    "r.home": FactKind("text", "R_HOME as R tells it"),
    "r.shlib": FactKind("flag", "R was built as a shared library"),
    "bridge.name": FactKind("text", "reticulate, rpy2, rPython, pyRserve"),
    "bridge.version": FactKind("version", "of the bridge"),
    # --- Python
    "python.requested": FactKind("text", "the interpreter that was asked for, as a file"),
    "python.requested_by": FactKind("text", "what asked: RETICULATE_PYTHON, use_python, ..."),
    "python.required": FactKind("flag", "asked for as a must (required = TRUE, a variable)"),
    "python.exists": FactKind("flag", "the file of python.requested is there"),
    "python.executable": FactKind("text", "the interpreter that runs, read back from inside"),
    "python.version": FactKind("version", "of the interpreter that runs"),
    "python.requested_version": FactKind("version", "of the interpreter asked for"),
    "python.inside": FactKind("text", "the interpreter in the folder that was named instead of it"),
    "python.environment": FactKind("text", "folder of the virtual environment it belongs to"),
    "python.starts": FactKind("flag", "python.requested runs an empty program"),
    "python.start_error": FactKind("text", "what it printed instead"),
    "python.is_python": FactKind("flag", "python.requested answers as a Python does"),
    "python.is_venv": FactKind("flag", "its folder has a pyvenv.cfg"),
    "python.venv_base": FactKind("text", "the folder that pyvenv.cfg names as home"),
    "python.venv_base_exists": FactKind("flag", "... is there, with an interpreter"),
    "python.is_shim": FactKind("flag", "it is a script of pyenv or the like"),
    "python.free_threaded": FactKind("flag", "built without the GIL"),
    "python.debug": FactKind("flag", "a debug build"),
    "python.shared": FactKind("flag", "built with a shared library (Py_ENABLE_SHARED)"),
    "python.libpython": FactKind("text", "file of its shared library; not there: none found"),
    "python.has_pip": FactKind("flag", "python -m pip --version works"),
    "python.has_venv": FactKind("flag", "ensurepip and venv can be imported"),
    "python.has_ssl": FactKind("flag", "module ssl can be imported"),
    "python.externally_managed": FactKind("flag", "has an EXTERNALLY-MANAGED file (PEP 668)"),
    "uv.file": FactKind("text", "the uv that reticulate finds; not there: none"),
    "python.found": FactKind("flag", "the bridge found any Python at all"),
    "python.encoding": FactKind("text", "encoding of standard output: ascii, utf-8"),
    # --- shared libraries
    "maps.libpython": FactKind("list", "each libpython in the process's memory map"),
    "maps.libraries": FactKind("list", "each shared library in the memory map, in load order"),
    "maps.loaded_first": FactKind("text", "the library that was loaded first of those that clash"),
    "elf.undefined_symbol": FactKind("text", "the symbol that the loader could not find"),
    "elf.file": FactKind("text", "the file that could not be loaded"),
    "elf.class": FactKind("text", "of that file: 32-bit, 64-bit, none"),
    "elf.machine": FactKind("text", "architecture of that file"),
    "elf.truncated": FactKind("flag", "that file is shorter than its headers say"),
    "elf.missing_library": FactKind("text", "a needed library that the loader did not find"),
    "elf.needed_version": FactKind("text", "a symbol version that is not there: GLIBC_2.38"),
    # --- packages
    "framework.name": FactKind("text", "tensorflow, keras, torch, jax"),
    "framework.version": FactKind("version", "of the framework"),
    "numpy.version": FactKind("version", "of numpy; not there: not installed, or not known"),
    "numpy.installed": FactKind("flag", "numpy can be found"),
    "packages.twice": FactKind("list", "packages with two versions in one site folder"),
    "packages.missing": FactKind("list", "modules that could not be found"),
    "module.file": FactKind("text", "where the module that failed was loaded from"),
    "user_site.packages": FactKind("list", "packages that come from the user's site folder"),
    "pythonpath.packages": FactKind("list", "packages that come from PYTHONPATH"),
    "cwd.shadows": FactKind("list", "modules hidden by a file of the working folder"),
    "keras.backend": FactKind("text", "the backend that Keras 3 is set to"),
    "keras.backends": FactKind("list", "backends of Keras that are installed"),
    "env.late": FactKind("list", "variables that were set after Python had started"),
    # --- values
    "call.name": FactKind("text", "the Python call that failed, as R wrote it"),
    "call.argument": FactKind("text", "the argument at fault"),
    "call.r_type": FactKind("text", "its type in R: double, integer, character, list, matrix"),
    "call.r_length": FactKind("number", "its length in R"),
    "call.python_type": FactKind("text", "the type it had in Python: float, int, str, list"),
    "convert.lost": FactKind("list", "kinds of values that do not survive: NA, int64, digits"),
}
"""Every fact that has a fixed name."""

OPEN: Final[dict[str, FactKind]] = {
    "env.": FactKind("text", "a variable of the environment that R started with: env.PYTHONHOME"),
    "package.": FactKind("version", "a Python package's version: package.protobuf"),
    "r_package.": FactKind("version", "an R package's version: r_package.keras3"),
}
"""Beginnings of names; the rest names the variable or the package (lower case, dashes)."""


def kind_of(name: str) -> FactKind | None:
    """Return what a fact is; ``None`` for a name that is not in the vocabulary."""
    known = VOCABULARY.get(name)
    if known is None:
        known = next((kind for start, kind in OPEN.items() if name.startswith(start)), None)
    return known
