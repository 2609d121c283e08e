"""Where R is found, and where a variable comes from."""

from __future__ import annotations

from pathlib import Path

from harness.doctor.places import find_rscript, origin, relevant, variables


def program(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def test_the_rscript_that_is_named_wins(tmp_path: Path) -> None:
    first = program(tmp_path / "bin" / "Rscript")
    other = program(tmp_path / "other" / "Rscript")
    environ = {"PATH": str(first.parent), "HOME": str(tmp_path)}
    assert find_rscript(None, environ, tmp_path) == first
    assert find_rscript(str(other), environ, tmp_path) == other
    assert find_rscript("other/Rscript", environ, tmp_path) == other
    assert find_rscript("nowhere/Rscript", environ, tmp_path) is None
    assert find_rscript(str(program(tmp_path / "other" / "R")), environ, tmp_path) == other


def test_only_what_matters_and_no_credentials() -> None:
    found = relevant(
        {
            "RETICULATE_PYTHON": "/x",
            "SECRET": "s",
            "TF_CLI_CONFIG_FILE": "terraform's",
            "HTTPS_PROXY": "http://ana:pw@proxy:3128",
        }
    )
    assert found == {"HTTPS_PROXY": "http://***@proxy:3128", "RETICULATE_PYTHON": "/x"}


def test_inherited_from_a_profile(tmp_path: Path) -> None:
    (tmp_path / ".bashrc").write_text("# mine\nexport RETICULATE_PYTHON=/x\n")
    caller = {"HOME": str(tmp_path), "RETICULATE_PYTHON": "/x"}
    said = origin("RETICULATE_PYTHON", caller, caller, None, tmp_path / "folder")
    assert said == f"inherited; {tmp_path}/.bashrc:2 sets it"


def test_set_by_files_of_r(tmp_path: Path) -> None:
    caller = {"HOME": str(tmp_path)}
    seen = {**caller, "RETICULATE_PYTHON": "/x", "KERAS_BACKEND": "jax", "LD_LIBRARY_PATH": "/l"}
    (tmp_path / ".Renviron").write_text("A=1\nRETICULATE_PYTHON=/x\n")
    (tmp_path / ".Rprofile").write_text('Sys.setenv(KERAS_BACKEND = "jax")\n')
    found = {one.name: one.origin for one in variables(seen, caller, None, tmp_path / "folder")}
    assert found == {
        "KERAS_BACKEND": f"{tmp_path}/.Rprofile:1",
        "LD_LIBRARY_PATH": "R's own start script, which puts its libraries first",
        "RETICULATE_PYTHON": f"{tmp_path}/.Renviron:2",
    }


def test_a_projects_file_hides_that_of_the_home(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / ".Renviron").write_text("RETICULATE_PYTHON=/home\n")
    (project / ".Renviron").write_text("\nRETICULATE_PYTHON=/project\n")
    caller = {"HOME": str(tmp_path)}
    seen = {**caller, "RETICULATE_PYTHON": "/project"}
    assert origin("RETICULATE_PYTHON", seen, caller, None, project) == f"{project}/.Renviron:2"
