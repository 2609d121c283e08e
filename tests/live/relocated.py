"""A real R in a folder of the shape of ``/opt/R/4.2.2``: a suite's, moved out of its root."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

_START = """\
#!/bin/sh
export RHOME={home}
exec {home}/bin/{name} "$@"
"""
_LIBRARIES = """\
LD_LIBRARY_PATH={others}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}
export LD_LIBRARY_PATH
"""
_ROUNDS = 5


def relocated(root: Path, folder: Path) -> Path:
    """Copy the R of ``root`` to ``folder``, so that it runs on this machine; return ``Rscript``.

    With it come the libraries that this machine lacks.
    """
    home = folder / "lib" / "R"
    # Beside libR, as in an R that was built with a BLAS of its own.
    others = home / "lib"
    shutil.copytree(root / "usr/lib/R", home, symlinks=True)
    shutil.rmtree(home / "etc")
    shutil.copytree(root / "etc/R", home / "etc", symlinks=True)
    (home / "etc" / "ldpaths").write_text(_LIBRARIES.format(others=others))
    environ = home / "etc" / "Renviron"
    environ.write_text(re.sub(r"(?m)^R_LIBS_SITE=.*$", "", environ.read_text()))
    with environ.open("a") as file:
        file.write(f"R_LIBS_SITE={home}/site-library\n")
    start = home / "bin" / "R"
    text = start.read_text().replace("R_HOME_DIR=/usr/lib/R\n", f"R_HOME_DIR={home}\n")
    text = text.replace('R_HOME_DIR="/usr/${libnn}/R"', f'R_HOME_DIR="{home}"')
    start.write_text(text.replace("=/usr/share/R", f"={root}/usr/share/R"))
    for _round in range(_ROUNDS):
        missing = _missing(home, others)
        if not missing:
            break
        for name in missing:
            (found,) = (file for file in _places(root, name) if file.is_file())
            shutil.copy(found, others / name)
    (others / "libRblas.so").symlink_to("libblas.so.3")
    # Programs of machine code have the old home in them.
    (home / "bin" / "Rscript").rename(home / "bin" / "Rscript.bin")
    (folder / "bin").mkdir()
    for script, name in (
        (home / "bin" / "Rscript", "Rscript.bin"),
        (folder / "bin" / "Rscript", "Rscript.bin"),
        (folder / "bin" / "R", "R"),
    ):
        script.write_text(_START.format(home=home, name=name))
        script.chmod(0o755)
    return folder / "bin" / "Rscript"


def _places(root: Path, name: str) -> list[Path]:
    below = root / "usr/lib/x86_64-linux-gnu"
    kind = name.split(".", maxsplit=1)[0].removeprefix("lib")
    # What Debian's alternatives lead to, by a link that is not the machine's.
    return [below / name] if (below / name).is_file() else [below / kind / name]


def _missing(home: Path, others: Path) -> set[str]:
    files = [*home.rglob("*.so"), home / "bin" / "exec" / "R", *others.glob("lib*")]
    ran = subprocess.run(
        ["ldd", *files],
        env={"LD_LIBRARY_PATH": str(others), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    return set(re.findall(r"(\S+) => not found", ran.stdout))
