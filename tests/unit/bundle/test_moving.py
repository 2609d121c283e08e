"""What is taken along of an R and a Python, and how its files find one another."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.bundle.elf import Libraries, Patcher, elf_files, inside, is_elf, will_do
from harness.bundle.moving import _rewrite, _with_needs, move_python, move_r
from harness.bundle.system import ask_python
from harness.errors import Unavailable
from harness.model.environment import RToolchain


def test_links_are_followed_inside_of_a_root(tmp_path):
    (tmp_path / "etc/alternatives").mkdir(parents=True)
    (tmp_path / "usr/lib/blas").mkdir(parents=True)
    (tmp_path / "usr/lib/blas/libblas.so.3").write_text("")
    (tmp_path / "lib").symlink_to("usr/lib")
    (tmp_path / "etc/alternatives/libblas").symlink_to("/usr/lib/blas/libblas.so.3")
    (tmp_path / "usr/lib/libblas.so.3").symlink_to("/etc/alternatives/libblas")
    (tmp_path / "out").symlink_to("../../../../../..")
    (tmp_path / "round").symlink_to("round")
    found = inside(tmp_path, Path("/lib/libblas.so.3"))
    assert found == tmp_path / "usr/lib/blas/libblas.so.3"
    assert inside(tmp_path, Path("/out/etc")) == tmp_path / "etc"
    assert inside(tmp_path, Path("/round")) == tmp_path / "round"


def test_libraries_of_this_machine_are_found():
    machine = Libraries(Path("/"))
    libz = machine.find("libz.so.1")
    if libz is None:
        pytest.skip("this machine has no libz")
    assert is_elf(libz)
    assert machine.find("libnone.so.9") is None
    assert will_do(libz, libz)
    assert not will_do(Path(__file__), libz)


@pytest.mark.timeout(300)
def test_a_python_runs_from_where_it_was_moved_to(tmp_path):
    patcher = Patcher()
    here = ask_python(Path(sys.executable).resolve())
    moved = move_python(here, tmp_path / "first", patcher)
    assert moved.version == here.version
    # And from anywhere else.
    (tmp_path / "first").rename(tmp_path / "second")
    program = tmp_path / "second" / "bin" / moved.executable.name
    ran = subprocess.run(
        [program, "-c", "import sys, ssl, ctypes, sqlite3, lzma; print(sys.prefix)"],
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout.strip() == str(tmp_path / "second"), ran.stderr
    for file in elf_files(tmp_path / "second"):
        shown = subprocess.run(
            ["ldd", file], capture_output=True, text=True, check=False, env={"PATH": "/usr/bin"}
        )
        assert "not found" not in shown.stdout, file


def test_an_r_of_this_machine_is_not_taken(tmp_path):
    r = RToolchain(
        version="4.4", rscript=Path("/opt/R/bin/Rscript"), root=None, packages={},
        source="machine", digest="",
    )  # fmt: skip
    with pytest.raises(Unavailable, match="ask for one of Debian's suites"):
        move_r(r, (), (), tmp_path, Patcher())


def test_what_packages_load_comes_along(tmp_path):
    for name, needs in {
        "reticulate": "Depends: R (>= 3.5)\nImports: Rcpp (>= 1.0), jsonlite,\n    withr\n",
        "Rcpp": "Imports: methods\nSuggests: tinytest\n",
        "jsonlite": "",
        "withr": "Imports: reticulate\n",
        "tinytest": "",
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "DESCRIPTION").write_text(f"Package: {name}\n{needs}License: MIT\n")
    found = _with_needs({"reticulate"}, [tmp_path])
    assert found == {"reticulate", "Rcpp", "jsonlite", "withr"}


def test_the_start_scripts_find_their_home_by_where_they_lie(tmp_path):
    home = tmp_path / "R"
    (home / "bin").mkdir(parents=True)
    (home / "etc").mkdir()
    (home / "bin" / "R").write_text(
        "#!/bin/bash\nR_HOME_DIR=/usr/lib/R\nR_SHARE_DIR=/usr/share/R/share\n"
        'echo "$R_HOME_DIR" "$R_SHARE_DIR" "$@"\n'
    )
    (home / "bin" / "R").chmod(0o755)
    (home / "bin" / "Rscript").write_text('#!/bin/sh\nexec "$RHOME/bin/R" as-R "$@"\n')
    (home / "bin" / "Rscript").chmod(0o755)
    (home / "etc" / "Renviron").write_text("R_LIBS_SITE=${R_LIBS_SITE:-'/usr/local'}\nA=b\n")
    _rewrite(home)
    (tmp_path / "R").rename(tmp_path / "other place")
    said = subprocess.run(
        [tmp_path / "other place" / "bin" / "Rscript", "x.R"],
        env={"PATH": "/usr/bin:/bin", "RHOME": "/nowhere"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    place = tmp_path / "other place"
    assert said == f"{place} {place}/share as-R x.R"
    environ = (place / "etc" / "Renviron").read_text()
    assert "R_LIBS_SITE=${R_HOME}/site-library" in environ
    assert "/usr/local" not in environ
