"""What a cell can see and change: its variables, files and network."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import pytest

from harness.execute.isolation import Isolation
from harness.execute.sandbox import run
from harness.model.job import Bind, End

from .conftest import PYTHON, Cell

pytestmark = pytest.mark.faults


def test_environment_is_the_job_s_alone(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    cell.env = {"WANTED": "a b=c\nd", "LD_PRELOAD": ""}
    before = time.time()
    cell.python("import json, os; print(json.dumps(dict(os.environ)))")
    seen = json.loads(cell.stdout)
    assert before <= float(seen.pop("HARNESS_SPAWNED_AT")) <= time.time()
    seen.pop("LC_CTYPE", None)  # Python's own, for a cell without a locale
    assert seen.pop("PWD", str(cell.folder)) == str(cell.folder)
    assert seen == cell.job("x").env


def test_library_variables_do_not_touch_the_wrapper(cell: Cell) -> None:
    cell.env = {"LD_PRELOAD": "/no/such/library.so", "PYTHONHOME": "/nowhere"}
    outcome = cell.run("/bin/true")
    assert (outcome.end, outcome.exit_code) == (End.EXITED, 0)
    assert cell.stderr.count("cannot be preloaded") == 1


def test_standard_input_is_empty(cell: Cell) -> None:
    assert cell.sh("cat").exit_code == 0


def test_no_descriptor_of_the_harness_is_open(cell: Cell) -> None:
    cell.python("import os; print(sorted(os.listdir('/proc/self/fd')))")
    assert cell.stdout.strip() == "['0', '1', '2', '3']"


def test_root_is_read_only_and_the_cell_s_folder_is_not(apart: Cell) -> None:
    script = "touch /usr/x /etc/x /x; echo $?; touch y && touch /tmp/z /dev/shm/z && echo written"
    apart.sh(script)
    assert apart.stdout.split() == ["1", "written"]
    assert apart.stderr.count("Read-only file system") == 3
    assert (apart.folder / "y").exists()
    assert not Path("/tmp/z").exists()


def test_cell_is_alone(apart: Cell) -> None:
    apart.sh("ls -d /proc/[0-9]* | wc -l; id -u; grep CapEff /proc/self/status; hostname")
    processes, user, _, capabilities, _ = apart.stdout.split()
    assert int(processes) < 8
    assert int(user) == os.getuid()
    assert int(capabilities, 16) == 0


def test_scratch_is_bounded(apart: Cell) -> None:
    outcome = apart.sh("head -c 64M /dev/zero > /tmp/filler", limits={"memory_mb": 32})
    assert outcome.exit_code != 0
    assert "No space left" in apart.stderr


def test_no_network(apart: Cell) -> None:
    assert not _reaches_the_machine(apart, network=False)


def test_network_that_is_asked_for(cell: Cell) -> None:
    assert _reaches_the_machine(cell, network=True)


def test_loopback_inside(apart: Cell) -> None:
    script = (
        "import socket\nserver = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(server.getsockname()).close()"
    )
    assert apart.python(script).exit_code == 0


def test_secrets_of_the_home_are_hidden(
    apart: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not below /tmp, which a cell does not see anyway.
    home = _outside_of_tmp(tmp_path)
    try:
        (home / ".ssh").mkdir()
        (home / ".ssh" / "id").write_text("secret")
        (home / ".ssh" / "known").write_text("shown")
        (home / ".netrc").write_text("secret")
        (home / "dotfiles").mkdir()
        (home / "dotfiles" / "pypirc").write_text("secret")
        (home / ".pypirc").symlink_to("dotfiles/pypirc")
        (home / "R").mkdir()
        (home / "R" / "library").write_text("visible")
        monkeypatch.setenv("HOME", str(home))
        secret = ".ssh/id .netrc .pypirc dotfiles/*"
        script = f"cd {home}; cat {secret}; cat R/library .ssh/known; touch .ssh/new"
        apart.sh(script, binds=(Bind(home / ".ssh" / "known"),))
        assert apart.stdout == "visibleshown"
        assert "Read-only file system" in apart.stderr
    finally:
        subprocess.run(["rm", "-r", str(home)], check=True)


_CHANGES = r"""
import contextlib, os, sys
from pathlib import Path
home, work = Path(sys.argv[1]), Path.cwd()
def refused(change):
    try:
        change()
    except OSError:
        return True
print(all([
    refused(lambda: (home / ".bashrc").write_text("planted")),
    refused(lambda: (home / "thesis").open("a")),
    refused(lambda: os.truncate(home / "thesis", 0)),
    refused(lambda: (home / "thesis").unlink()),
    refused(lambda: (home / "thesis").rename(work / "thesis")),
    refused(lambda: (home / "folder").mkdir()),
    refused(lambda: (home / "link").symlink_to("thesis")),
    refused(lambda: os.link(home / "thesis", work / "thesis")),
]))
(work / "one").mkdir()
(work / "one" / "file").write_text("own")
(work / "one" / "file").rename(work / "file")
Path("/dev/null").write_text("nothing")
Path("/dev/shm/harness-test").write_text("memory")
Path("/dev/shm/harness-test").unlink()
Path("/tmp/harness-test").write_text("scratch")
Path("/tmp/harness-test").unlink()
Path("/proc/self/oom_score_adj").write_text("1000")
print((work / "file").read_text())
"""


def test_files_of_the_caller_are_not_changed(cell: Cell, tmp_path: Path) -> None:
    if cell.isolation.bubblewrap is None and ctypes.CDLL(None).syscall(444, None, 0, 1) < 3:
        pytest.skip("this kernel has no Landlock, or one before that of Linux 6.2")
    home = _outside_of_tmp(tmp_path)
    try:
        (home / "thesis").write_text("years of work")
        work = home / "work"
        work.mkdir()
        job = cell.job(PYTHON, "-I", "-c", _CHANGES, str(home))
        job = msgspec.structs.replace(job, cwd=work, binds=(*job.binds, Bind(work, writable=True)))
        assert run(job, isolation=cell.isolation).exit_code == 0, cell.stderr
        assert cell.stdout == "True\nown\n"
        assert sorted(path.name for path in home.iterdir()) == ["thesis", "work"]
        assert (home / "thesis").read_text() == "years of work"
    finally:
        shutil.rmtree(home)


def test_folders_below_tmp_are_seen_where_they_are_named(apart: Cell, tmp_path: Path) -> None:
    shown, hidden = tmp_path / "shown", tmp_path / "hidden"
    for folder in (shown, hidden):
        folder.mkdir()
        (folder / "file").write_text(folder.name)
    apart.sh(f"cat {shown}/file {hidden}/file; touch {shown}/new", binds=(Bind(shown),))
    assert apart.stdout == "shown"
    assert not (shown / "new").exists()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root of its own, with this machine's programs."""
    folder = tmp_path / "root"
    for name in ("usr/bin", "usr/lib", "usr/lib64", "usr/local/bin", "etc", "opt", "proc", "tmp"):
        (folder / name).mkdir(parents=True)
    for name in ("bin", "lib", "lib64"):
        (folder / name).symlink_to(f"usr/{name}")
    (folder / "etc" / "os-release").write_text("ID=planted\n")
    (folder / "usr" / "local" / "bin" / "tool").write_text("planted tool\n")
    return folder


def _programs() -> tuple[Bind, ...]:
    return tuple(Bind(Path(f"/usr/{name}")) for name in ("bin", "lib", "lib64") if _is_there(name))


def _is_there(name: str) -> bool:
    return Path("/usr", name).is_dir()


@pytest.mark.parametrize(
    "target",
    [
        "/work/deep/below/nothing",
        "/usr/local/cuda-99/lib",
        "/usr/local/bin",
        "/opt/R/4.5.0",
        "/etc/R",
        "/local",
        "/var/lib/x",
    ],
)
def test_any_folder_can_be_shown_anywhere(
    apart: Cell, root: Path, tmp_path: Path, target: str
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_text("found\n")
    script = f"cat {target}/file /etc/os-release; touch {target}/new /usr/local/x"
    outcome = apart.sh(script, root=root, binds=(*_programs(), Bind(source, Path(target))))
    assert outcome.end is End.EXITED, outcome.message
    assert apart.stdout == "found\nID=planted\n"
    assert not (source / "new").exists()
    assert sorted(path.name for path in (root / "usr" / "local").iterdir()) == ["bin"]


def test_rest_of_a_rebuilt_folder_stays(apart: Cell, root: Path, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    binds = (*_programs(), Bind(tmp_path / "source", Path("/usr/local/new")))
    apart.sh("ls /usr/local; cat /usr/local/bin/tool; ls -d /usr/lib", root=root, binds=binds)
    assert apart.stdout.split() == ["bin", "new", "planted", "tool", "/usr/lib"]


def test_writable_folder_below_a_read_only_one(apart: Cell, root: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    (outer / "inner").mkdir(parents=True)
    binds = (*_programs(), Bind(outer), Bind(outer / "inner", writable=True))
    apart.sh(f"touch {outer}/no {outer}/inner/yes", root=root, binds=binds)
    assert [path.name for path in outer.rglob("*")] == ["inner", "yes"]


def test_bind_of_nothing_says_so(apart: Cell, tmp_path: Path) -> None:
    outcome = apart.sh("true", binds=(Bind(tmp_path / "none"),))
    assert outcome.end is End.NOT_STARTED
    assert f"{tmp_path}/none does not exist" in (outcome.message or "")


def test_bind_that_bubblewrap_refuses_says_so(apart: Cell, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    outcome = apart.sh("true", binds=(Bind(tmp_path / "link"),))
    assert outcome.end is End.NOT_STARTED
    assert (outcome.message or "").startswith("bubblewrap could not set up the cell: Can't")


def test_root_without_namespaces_says_so(tmp_path: Path, root: Path) -> None:
    (tmp_path / "cell").mkdir()
    cell = Cell(tmp_path / "cell", Isolation(None, "bubblewrap is not installed"))
    outcome = cell.sh("true", root=root)
    assert outcome.end is End.NOT_STARTED
    assert "cannot be entered: bubblewrap is not installed" in (outcome.message or "")


def test_ordinary_user(apart: Cell, tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("every other test shows it already")
    script = (
        "import os, sys\nfrom pathlib import Path\n"
        "from harness.execute.isolation import detect\nfrom harness.execute.sandbox import run\n"
        "from harness.model.cell import Limits\nfrom harness.model.job import Bind, Job\n"
        "os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)\n"
        "os.environ['HOME'] = '/nonexistent'\n"
        "if detect().bubblewrap is None: print(detect().why); sys.exit(77)\n"
        "folder = Path(sys.argv[1])\n"
        "job = Job(argv=('sh', '-c', 'id -u; cat /proc/self/oom_score_adj; touch new;"
        " touch /usr/x; setsid sleep 60 & exit 9'), env={'PATH': '/usr/bin:/bin'}, cwd=folder,"
        " root=None, binds=(Bind(folder, writable=True),), events=folder / 'events',"
        " stdout=folder / 'stdout', stderr=folder / 'stderr', limits=Limits(phase_s=20))\n"
        "outcome = run(job)\nprint(outcome.exit_code, outcome.leftovers)"
    )
    folder = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    os.chown(folder, 65534, 65534)
    try:
        done = subprocess.run(
            [sys.executable, "-c", script, str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 77:
            pytest.skip(done.stdout)
        assert done.stdout == "9 1\n", done.stderr
        assert (folder / "stdout").read_text() == "65534\n1000\n"
        assert (folder / "new").exists()
    finally:
        subprocess.run(["rm", "-r", str(folder)], check=True)


_LOOKS_UP = """
import os
pid, looked, saw = os.getppid(), 0, 0
while pid > 1:
    looked += 1
    try:
        with open(f"/proc/{pid}/environ", "rb") as stream:
            saw += b"SECRET_TOKEN" in stream.read()
    except PermissionError:
        pass
    with open(f"/proc/{pid}/stat", "rb") as stream:
        pid = int(stream.read().rpartition(b") ")[2].split()[1])
os.makedirs("one"); os.makedirs("two")
with open("one/file", "w") as stream:
    stream.write("moved")
os.rename("one/file", "two/file")
print(looked, saw, os.environ.get("SECRET_TOKEN"), open("two/file").read())
"""
_RUNS_A_CELL = """
import ctypes, os, sys
from pathlib import Path
from harness.execute.isolation import Isolation
from harness.execute.sandbox import run
from harness.execute.sandbox import run
from harness.model.cell import Limits
from harness.model.job import Job
if int(sys.argv[2]) != os.getuid():
    os.setgroups([])
    os.setresgid(*[int(sys.argv[2])] * 3)
    os.setresuid(*[int(sys.argv[2])] * 3)
    sys.executable = sys.argv[3]  # this one may lie in root's home
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # as of a process that was its user's from its start
# What stays behind stands for the shell from which a user starts the harness.
if child := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
folder = Path(sys.argv[1])
job = Job(argv=(sys.argv[3], "-I", "-c", sys.argv[4]), env={}, cwd=folder, root=None, binds=(),
          events=folder / "events", stdout=folder / "stdout", stderr=folder / "stderr",
          limits=Limits(phase_s=20))
outcome = run(job, isolation=Isolation(None, "forced by the test"))
assert os.environ["SECRET_TOKEN"] == "hunter2"
print(outcome.exit_code if outcome.exit_code is not None else outcome)
"""


@pytest.mark.parametrize("user", [os.getuid(), 65534])
def test_variables_of_the_caller_are_out_of_sight_without_namespaces(user: int) -> None:
    if user != os.getuid() and os.getuid() != 0:
        pytest.skip("only root becomes somebody else")
    if user != 0 and ctypes.CDLL(None).syscall(444, None, 0, 1) < 2:
        pytest.skip("this kernel has no Landlock, or one before that of Linux 5.19")
    folder = Path(tempfile.mkdtemp())
    os.chown(folder, user, -1)
    command = [sys.executable, "-c", _RUNS_A_CELL, str(folder), str(user), PYTHON, _LOOKS_UP]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "SECRET_TOKEN": "hunter2"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout == "0\n", done.stderr + (folder / "stderr").read_text()
        looked, saw, own, moved = (folder / "stdout").read_text().split()
        assert int(looked) >= 3
        assert (saw, own, moved) == ("0", "None", "moved")
    finally:
        shutil.rmtree(folder)


def _reaches_the_machine(cell: Cell, *, network: bool) -> bool:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        script = f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)"
        return cell.python(script, network=network).exit_code == 0


def _outside_of_tmp(tmp_path: Path) -> Path:
    for place in ("/var/lib", "/srv", "/opt", str(Path(__file__).parent)):
        if os.access(place, os.W_OK):
            folder = Path(place, f"harness-test-{os.getpid()}-{tmp_path.name}")
            folder.mkdir()
            return folder
    pytest.skip("no folder outside of /tmp can be written")
