"""Libraries that do not load: libpython, libc, C++, OpenMP, OpenSSL.

What is broken is real: a file cut short, a symbol that is in no library, a runtime that is loaded
twice.  Small libraries are compiled here for that.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.live.causes.bench import BOOKWORM, BULLSEYE, TRIXIE, Bench, Situation
from tests.live.causes.case import DIAGNOSE, SCRIPT_FILE, Case, by_script, changed, numpy

LIBRARIES = "/usr/lib/x86_64-linux-gnu"
SYSTEM = {"RETICULATE_PYTHON": "/usr/bin/python3"}
OF_SYSTEM = f"{LIBRARIES}/libpython3.11.so.1.0"
"""The libpython of bookworm: its python3 does not need it, and reticulate does."""
LOAD = """library(reticulate)
ctypes <- import("ctypes")
library <- ctypes$CDLL(path.expand("~/{}"), mode = ctypes$RTLD_GLOBAL)
"""
LARGE = '__thread char room[%d] __attribute__((tls_model("initial-exec")));\n'
LARGE += "char *use(void) { room[0] = 1; return room; }\n"
NEWER = """#include <vector>
extern "C" int many(unsigned long n) {
#ifdef OLDER
  return n > 0;
#else
  return std::allocator<int>().allocate(n) != nullptr;
#endif
}
"""


def libpython(bench: Bench) -> Path:
    root = bench.r(BOOKWORM).root
    assert root is not None
    return root / OF_SYSTEM.lstrip("/")


def with_own(change: Callable[[bytes], bytes]) -> Callable[[Bench], Situation]:
    """Return a situation whose libpython has other bytes."""

    def make(bench: Bench) -> Situation:
        content = change(libpython(bench).read_bytes())
        return Situation(
            r=BOOKWORM,
            env=SYSTEM,
            prepare=lambda home: _write(home / "libpython", content),
            covers={OF_SYSTEM: "libpython"},
        )

    return make


def _write(file: Path, content: bytes) -> None:
    file.write_bytes(content)


def of_32_bits(content: bytes) -> bytes:
    # The class in the file's identification, and the machine: those of i386.
    return content[:4] + b"\x01" + content[5:18] + b"\x03\x00" + content[20:]


def compiled(*sources: tuple[str, str, tuple[str, ...]], then: str = "") -> Callable[[Path], None]:
    """Return what compiles libraries into the home: name, source, and flags of each.

    ``then`` is a file that is taken away afterwards.
    """

    def prepare(home: Path) -> None:
        for name, text, flags in sources:
            compiler = "g++" if "#include <vector>" in text or "class" in text else "gcc"
            if shutil.which(compiler) is None:
                pytest.skip(f"this machine has no {compiler}")
            source = home / f"{name}.{'cpp' if compiler == 'g++' else 'c'}"
            source.write_text(text, encoding="utf-8")
            command = [compiler, "-shared", "-fPIC", "-O1", "-o", name, source.name, *flags]
            subprocess.run(command, cwd=home, check=True, capture_output=True)
        if then:
            (home / then).unlink()

    return prepare


def prepared(prepare: Callable[[Path], None], **others: Any) -> Callable[[Bench], Situation]:
    return lambda bench: replace(numpy(bench), prepare=prepare, **others)


def of_trixie(bench: Bench) -> Situation:
    """Return bookworm with RETICULATE_PYTHON at trixie's own Python."""
    root = bench.r(TRIXIE).root
    assert root is not None
    return Situation(
        r=BOOKWORM, env={"RETICULATE_PYTHON": str(root / "usr/bin/python3.13")}, binds=(root,)
    )


def older_openssl(bench: Bench) -> Situation:
    """Return a newer suite whose loader is given bookworm's OpenSSL first."""
    root = bench.r(BOOKWORM).root
    assert root is not None
    names = ("libcrypto.so.3", "libssl.so.3")
    old = root / LIBRARIES.lstrip("/")

    def prepare(home: Path) -> None:
        (home / "old").mkdir()
        for name in names:
            shutil.copy(old / name, home / "old" / name)

    return Situation(
        r=TRIXIE,
        env=SYSTEM,
        prepare=prepare,
    )


def two_openmp(bench: Bench) -> Situation:
    """Return a Python with two copies of Intel's OpenMP runtime."""
    environment = bench.environment("3.11", "numpy<2", "intel-openmp==2024.2.1")
    runtime = environment.executable.parents[1] / "lib" / "libiomp5.so"

    def prepare(home: Path) -> None:
        for name in ("one", "other"):
            (home / name).mkdir()
            shutil.copy(runtime, home / name / "libiomp5.so")

    return Situation(
        env={"RETICULATE_PYTHON": str(environment.executable)},
        binds=environment.binds,
        prepare=prepare,
    )


OPENMP = """library(reticulate)
ctypes <- import("ctypes")
one <- ctypes$CDLL(path.expand("~/one/libiomp5.so"))
one$omp_get_max_threads()
other <- ctypes$CDLL(path.expand("~/other/libiomp5.so"))
other$omp_get_max_threads()
"""

CASES = (
    Case(
        cause="libpython-static-or-absent",
        made="Debian's python3 without its package libpython3",
        make=lambda _bench: Situation(
            r=BOOKWORM,
            env=SYSTEM,
            without={LIBRARIES: "^libpython", "/usr/lib/python3.11": "^config-"},
        ),
        remedy="install-libpython",
        mend=changed(without={}),
    ),
    Case(
        cause="libpython-truncated",
        made="libpython cut off in the middle, as a full disk leaves it",
        make=with_own(lambda content: content[: len(content) // 2]),
        remedy="reinstall",
        mend=changed(covers={}),
        quick=True,
    ),
    Case(
        cause="libpython-wrong-elf-class",
        made="a libpython that says it is of 32 bits",
        make=with_own(of_32_bits),
        remedy="same-architecture",
        mend=changed(covers={}),
    ),
    Case(
        cause="glibc-too-old",
        made="trixie's Python inside bookworm",
        make=of_trixie,
        remedy="older-build",
        mend=changed(env={"RETICULATE_PYTHON": "/usr/bin/python3"}),
    ),
    Case(
        cause="glibcxx-too-old",
        made="a C++ library built with GCC 12 inside bullseye",
        make=lambda _bench: Situation(
            r=BULLSEYE,
            env=SYSTEM,
            prepare=compiled(("libnewer.so", NEWER, ())),
            files={SCRIPT_FILE: LOAD.format("libnewer.so")},
            arguments=("Rscript", SCRIPT_FILE),
        ),
        by=DIAGNOSE,
        remedy="pip-environment",
        # What wheels are: built to need nothing that is so new.
        mend=changed(prepare=compiled(("libnewer.so", NEWER, ("-DOLDER",)))),
    ),
    Case(
        cause="libpython-soname-swap-by-R",
        made="system2() of Python 3.11.7 from R, whose libraries have 3.11.2",
        make=lambda bench: replace(
            bench.jax(),
            r=BOOKWORM,
            arguments=("--path", "system", "--python", bench.jax().env["RETICULATE_PYTHON"]),
        ),
        remedy="preload",
        mend=lambda bench, situation: replace(
            situation, env={**situation.env, "LD_PRELOAD": str(bench.python("3.11.7").libpython)}
        ),
        layer="identity",
        quick=True,
    ),
    by_script(
        "static-tls-exhausted",
        "a library that wants more thread-local storage than the loader keeps",
        LOAD.format("liblarge.so"),
        base=prepared(compiled(("liblarge.so", LARGE % 400000, ()))),
        remedy="more-room",
    ),
    by_script(
        "cxx-abi-undefined-symbol",
        "a C++ library beside another one of an older version",
        LOAD.format("libuser.so"),
        base=prepared(
            compiled(
                ("libcore.so", "int _ZN4core3newEi(int x) { return x; }\n", ()),
                (
                    "libuser.so",
                    "int _ZN4core3newEi(int);\nint use(void) { return _ZN4core3newEi(1); }\n",
                    ("-L.", "-l:libcore.so", "-Wl,-rpath,$ORIGIN"),
                ),
                ("libcore.so", "int _ZN4core3oldEi(int x) { return x; }\n", ()),
            )
        ),
        remedy="reinstall-together",
        mend=changed(
            prepare=compiled(
                ("libcore.so", "int _ZN4core3newEi(int x) { return x; }\n", ()),
                (
                    "libuser.so",
                    "int _ZN4core3newEi(int);\nint use(void) { return _ZN4core3newEi(1); }\n",
                    ("-L.", "-l:libcore.so", "-Wl,-rpath,$ORIGIN"),
                ),
            )
        ),
    ),
    by_script(
        "openssl-version-mismatch",
        "R has loaded an OpenSSL that is older than the one Python was built with",
        """library(reticulate)
dyn.load(path.expand("~/old/libcrypto.so.3"))
ssl <- import("ssl")
print(ssl$OPENSSL_VERSION)
""",
        base=older_openssl,
        remedy="preload-newer",
        mended="""library(reticulate)
dyn.load("/usr/lib/x86_64-linux-gnu/libcrypto.so.3")
dyn.load(path.expand("~/old/libcrypto.so.3"))
ssl <- import("ssl")
print(ssl$OPENSSL_VERSION)
""",
    ),
    by_script(
        "omp-error-15",
        "two copies of Intel's OpenMP runtime in one process",
        OPENMP,
        base=two_openmp,
        remedy="allow-two",
        mend=changed(env={"KMP_DUPLICATE_LIB_OK": "TRUE"}),
    ),
)
