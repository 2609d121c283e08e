"""Records without this machine's folders: the same failure reads the same everywhere."""

from __future__ import annotations

from pathlib import Path

from harness.model.environment import Interpreter, Lock, Provisioned, PythonEnvironment
from harness.model.record import CellRecord, ProbeRecord
from harness.model.status import Status
from harness.workflow.naming import without_places


def provisioned(environment: Path, prefix: Path) -> Provisioned:
    interpreter = Interpreter(
        executable=prefix / "bin/python3", version="3.12.1", prefix=prefix, libpython=None
    )
    python = PythonEnvironment(
        executable=environment / "bin/python",
        interpreter=interpreter,
        lock=Lock(text="", digest=""),
        binds=(),
    )
    return Provisioned(python=python, r=None)


def test_folders_get_short_names_everywhere_in_a_record() -> None:
    home = Path.home()
    ready = provisioned(home / ".cache/x/python/abc", home / "pythons/3.12.1")
    probe = ProbeRecord(
        name="init", status=Status.FAIL, details={"files": [f"{home}/results/c/work/x"]}
    )
    record = CellRecord(
        id="c",
        axes={},
        status=Status.FAIL,
        message=f"Error 1 occurred running {home}/.cache/x/python/abc/bin/python",
        identity={"python": {"libpython": f"{home}/pythons/3.12.1/lib/libpython3.12.so"}},
        evidence={"traceback": f"File {home}/elsewhere.py"},
        probes=(probe,),
    )
    plain = without_places(record, ready, home / "results/c")
    assert plain.message == "Error 1 occurred running ENV/bin/python"
    assert plain.identity == {"python": {"libpython": "PYTHON/lib/libpython3.12.so"}}
    assert plain.evidence == {"traceback": "File ~/elsewhere.py"}
    assert plain.probes[0].details == {"files": ["CELL/work/x"]}
    assert plain.status is Status.FAIL


def test_a_system_prefix_stays() -> None:
    ready = provisioned(Path("/srv/store/python/abc"), Path("/usr"))
    record = CellRecord(id="c", axes={}, status=Status.FAIL, message="/usr/lib/R and /usr/bin")
    assert without_places(record, ready, Path("/srv/c")).message == "/usr/lib/R and /usr/bin"
