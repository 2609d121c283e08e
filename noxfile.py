"""A thin front to the same commands that a developer types.

``nox -s matrix`` is the main job; ``nox`` alone checks everything before a change is sent.
What follows ``--`` goes to the command of the session: ``nox -s matrix -- --only '*torch*'``,
``nox -s tests -- -m 'not live'``.  The project's other Pythons are tested by tox.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.needs_version = ">=2026.10.20"  # its CommandFailed tells the exit code
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "docs", "tests"]
nox.options.error_on_missing_interpreters = True

HERE = Path(__file__).parent
PYPROJECT = nox.project.load_toml(HERE / "pyproject.toml")
SMOKE = "matrices/smoke.yaml"
GENTLE_S = 60.0
"""How long a run may take to end by itself after Ctrl-C, in seconds: its journal is closed,
and its cells are ended."""

AT_ONCE = 2
"""Tests that run beside each other."""


def install(session: nox.Session, *groups: str, editable: bool = True) -> None:
    """Install the project with the dependency groups of ``pyproject.toml``."""
    requirements = nox.project.dependency_groups(PYPROJECT, *groups)
    session.install(*(["-e", "."] if editable else ["."]), *requirements)


@nox.session
def matrix(session: nox.Session) -> None:
    """Run a matrix, the smoke matrix where none is named; ends with the table of results."""
    install(session, editable=False)  # what a user would have
    posargs = list(session.posargs)
    target = posargs.pop(0) if posargs and not posargs[0].startswith("-") else SMOKE
    try:
        session.run("harness", "run", target, *posargs, interrupt_timeout=GENTLE_S)
    except CommandFailed as failure:
        # Nox itself ends with 1 for every failure; whoever called must be able to tell 3 (not
        # everything was measured) and 4 (this machine could not do it) from it.
        raise SystemExit(failure.return_code) from None


@nox.session
def tests(session: nox.Session) -> None:
    """Run every test but the long ones, those with a real R and real frameworks too.

    Two run beside each other, because a live test waits for much of its time. Those that measure
    time have the machine for themselves. With arguments, one pytest has them all.
    """
    install(session, "test")
    if session.posargs:
        session.run("pytest", *session.posargs, interrupt_timeout=GENTLE_S)
        return
    session.run("pytest", "-m", "alone and not long", interrupt_timeout=GENTLE_S)
    together = ("-n", str(AT_ONCE), "--dist", "loadgroup", "-m", "not alone and not long")
    session.run("pytest", *together, interrupt_timeout=GENTLE_S)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types, the one direction, the workflows, the matrices and the reference."""
    install(session, "lint", "test")
    workflows = [str(path) for path in sorted(Path(".github/workflows").glob("*.yml"))]
    matrices = [str(path) for path in sorted(Path("matrices").glob("*.yaml"))]
    schema = "docs/reference/matrix.schema.json"
    _run_all(
        session,
        ["ruff", "check"],
        ["ruff", "format", "--check"],
        ["mypy"],
        ["lint-imports"],
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows],
        [
            "check-jsonschema",
            "--builtin-schema",
            "vendor.github-actions",
            *(str(path) for path in sorted(Path(".github/actions").glob("*/action.yml"))),
        ],
        ["actionlint", *workflows],
        ["zizmor", "--offline", "--no-progress", "--quiet", ".github"],
        ["check-jsonschema", "--schemafile", schema, *matrices],
        ["python", "docs/_generate.py", "--check"],
        ["python", "reports/_pages.py", "--check"],
    )


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error."""
    install(session, "docs")
    session.run("python", "docs/_generate.py", "--check")
    session.run("zensical", "build", "--clean", "--strict", *session.posargs)


@nox.session(venv_backend="none")
def site(session: nox.Session) -> None:
    """Build the scripts of the published pages; with ``-- --check`` only say whether they are."""
    if shutil.which("npm") is None:
        session.error("the scripts are built with node: apt-get install nodejs npm")
    with session.chdir("harness/site/frontend"):
        session.run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", external=True)
        session.run("npm", "run", "check", external=True)
        session.run("node", "build.mjs", *session.posargs, external=True)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure what the harness itself costs: all of ``bench/``, or the scripts that are named."""
    install(session, "bench", "bench-cover", "test", editable=False)
    names = session.posargs or ["startup", "environments", "overhead"]
    _run_all(session, *(["python", f"bench/{name}.py"] for name in names))


def _run_all(session: nox.Session, *commands: list[str]) -> None:
    """Run every command, so that one call shows all that is wrong."""
    failed = []
    for command in commands:
        try:
            session.run(*command)
        except CommandFailed:
            failed.append(" ".join(command[:2]))
    if failed:
        session.error(f"failed: {', '.join(failed)}")
