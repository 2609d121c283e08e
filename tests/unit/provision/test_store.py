"""The store: built once, whole or not at all, never pruned under a live process."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import harness
from harness.errors import MachineFault
from harness.provision import listing
from harness.provision.process import run
from harness.provision.store import KINDS, MARKER, TAG, FolderStore, default_root, tree_size

KEY = "0123456789abcdef" * 4

CHILD = """
import sys, time
from pathlib import Path
from harness.provision.store import FolderStore

root, log, seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])

def build(folder):
    with log.open("a") as file:
        file.write("built\\n")
    (folder / "half").write_text("x")
    time.sleep(seconds)
    (folder / "whole").write_text("x")

store = FolderStore(root)
store.ensure("thing", "key", build)
print("done", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def fill(text: str = "content") -> Callable[[Path], None]:
    def build(folder: Path) -> None:
        (folder / "file").write_text(text)

    return build


def child(root: Path, log: Path, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(root), str(log), str(seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def close(process: subprocess.Popen[str]) -> None:
    process.communicate()


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def test_an_entry_is_built_once_and_then_reused(store: FolderStore) -> None:
    first = store.ensure("thing", "key", fill("one"), description="what it is")
    second = store.ensure("thing", "key", fill("two"))
    assert first == second == store.root / "thing" / "key"
    assert (first / "file").read_text() == "one"
    (entry,) = store.entries()
    assert (entry.kind, entry.key, entry.description) == ("thing", "key", "what it is")
    assert entry.size > 0


def test_what_a_build_raises_leaves_nothing_behind(store: FolderStore) -> None:
    def build(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        store.ensure("thing", "key", build)
    assert not (store.root / "thing" / "key").exists()
    assert store.entries() == ()


def test_an_entry_without_its_marker_is_built_anew(store: FolderStore) -> None:
    folder = store.ensure("thing", "key", fill("one"))
    (folder / MARKER).unlink()
    (folder / "leftover").write_text("x")
    store.ensure("thing", "key", fill("two"))
    assert (folder / "file").read_text() == "two"
    assert not (folder / "leftover").exists()


def test_a_marker_that_was_cut_short_is_none(store: FolderStore) -> None:
    folder = store.ensure("thing", "key", fill("one"))
    (folder / MARKER).write_text('{"schema": 1, "cre')
    store.ensure("thing", "key", fill("two"))
    assert (folder / "file").read_text() == "two"


def test_an_entry_that_is_no_longer_good_is_built_anew(store: FolderStore) -> None:
    folder = store.ensure("thing", "key", fill("one"))
    store.ensure("thing", "key", fill("two"), verify=lambda _folder: False)
    assert (folder / "file").read_text() == "two"


def test_threads_build_the_same_one_once(store: FolderStore) -> None:
    built: list[Path] = []

    def build(folder: Path) -> None:
        built.append(folder)
        time.sleep(0.1)

    threads = [
        threading.Thread(target=store.ensure, args=("thing", "key", build)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1


def test_processes_build_the_same_one_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    children = [child(tmp_path / "store", log, 0.3) for _ in range(4)]
    for process in children:
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
    for process in children:
        close(process)
    assert log.read_text() == "built\n"


def test_a_build_that_was_killed_is_done_again(tmp_path: Path) -> None:
    log, root = tmp_path / "log", tmp_path / "store"
    process = child(root, log, 60)
    wait_for((root / "thing" / "key" / "half").exists)
    process.send_signal(signal.SIGKILL)
    close(process)
    store = FolderStore(root)
    assert store.entries() == ()
    folder = store.ensure("thing", "key", fill())
    assert not (folder / "half").exists()


def test_a_program_that_outlives_a_killed_build_is_waited_for(tmp_path: Path) -> None:
    # Else it would go on writing into the folder that the next one builds.
    root = tmp_path / "store"
    script = f"""
from pathlib import Path
from harness.provision.process import run
from harness.provision.store import FolderStore
FolderStore(Path({str(root)!r})).ensure(
    "thing", "key", lambda folder: run(["sh", "-c", f"touch {{folder}}/half; sleep 1.5"])
)
"""
    process = subprocess.Popen([sys.executable, "-c", script])
    wait_for((root / "thing" / "key" / "half").exists)
    started = time.monotonic()
    process.kill()
    process.wait()
    FolderStore(root).ensure("thing", "key", fill())
    assert time.monotonic() - started > 1


def test_a_long_wait_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.provision.store._PATIENCE_S", 0.1)
    said: list[str] = []
    log, root = tmp_path / "log", tmp_path / "store"
    process = child(root, log, 1)
    wait_for((root / "thing" / "key" / "half").exists)
    FolderStore(root, notify=said.append).ensure("thing", "key", fill())
    close(process)
    assert said == ["waiting for another run that builds thing key"]


def test_a_wait_for_a_thread_of_the_same_run_is_none_for_another_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.provision.store._PATIENCE_S", 0.1)
    said: list[str] = []
    store = FolderStore(tmp_path, notify=said.append)

    def build(folder: Path) -> None:
        (folder / "half").touch()
        time.sleep(0.6)

    thread = threading.Thread(target=store.ensure, args=("thing", "key", build))
    thread.start()
    wait_for((tmp_path / "thing" / "key" / "half").exists)
    store.ensure("thing", "key", refuse)
    thread.join()
    assert said == []


def test_a_full_disk_is_told_with_the_folder_and_the_room(store: FolderStore) -> None:
    def build(folder: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "file"))

    with pytest.raises(MachineFault, match=r"thing/key: the disk is full \(\d+ MB free after"):
        store.ensure("thing", "key", build)
    assert store.entries() == ()


def test_a_program_that_found_the_disk_full_counts_as_such(store: FolderStore) -> None:
    def build(_folder: Path) -> None:
        run(["sh", "-c", "cat /etc/passwd > /dev/full"])

    with pytest.raises(MachineFault, match="the disk is full"):
        store.ensure("thing", "key", build)


def test_a_root_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(MachineFault, match="set HARNESS_CACHE to a folder of yours"):
        FolderStore(tmp_path / "file" / "store")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_root_that_may_not_be_written_to_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(MachineFault, match="set HARNESS_CACHE"):
        FolderStore(tmp_path / "store")


def test_what_a_live_process_uses_is_not_pruned(tmp_path: Path) -> None:
    log, root = tmp_path / "log", tmp_path / "store"
    process = child(root, log, 0)
    assert process.stdout is not None
    assert process.stdout.readline() == "done\n"
    store = FolderStore(root)
    pruned = store.prune(everything=True)
    assert (len(pruned.removed), len(pruned.in_use)) == (0, 1)
    close(process)
    pruned = store.prune(everything=True)
    assert (len(pruned.removed), len(pruned.in_use)) == (1, 0)
    assert not (root / "thing" / "key").exists()


def test_what_a_killed_process_used_is_pruned(tmp_path: Path) -> None:
    log, root = tmp_path / "log", tmp_path / "store"
    process = child(root, log, 0)
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    close(process)
    assert len(FolderStore(root).prune(everything=True).removed) == 1


def test_a_closed_store_uses_nothing(store: FolderStore) -> None:
    store.ensure("thing", "key", fill())
    assert len(store.prune(everything=True).in_use) == 1
    store.close()
    assert len(store.prune(everything=True).removed) == 1


def test_prune_by_age_and_by_number(tmp_path: Path) -> None:
    with FolderStore(tmp_path / "store") as store:
        for age, key in enumerate(("new", "middle", "old")):
            folder = store.ensure("thing", key, fill())
            used = time.time() - age * 1000
            os.utime(folder / MARKER, (used, used))
    assert [entry.key for entry in store.prune(older_than_s=1500).removed] == ["old"]
    assert [entry.key for entry in store.prune(keep=1).removed] == ["middle"]
    assert [entry.key for entry in store.entries()] == ["new"]


def test_prune_of_one_kind_leaves_the_others(tmp_path: Path) -> None:
    with FolderStore(tmp_path / "store") as store:
        store.ensure("one", "key", fill())
        store.ensure("two", "key", fill())
    store.prune(everything=True, kinds=["one"])
    assert [entry.kind for entry in store.entries()] == ["two"]


def test_prune_clears_what_is_half_built_and_names_it(store: FolderStore) -> None:
    folder = store.root / "python" / KEY
    folder.mkdir(parents=True)
    (folder / "half").write_text("x")
    assert store.prune().half_built == (folder,)
    assert not folder.exists()


@pytest.mark.parametrize(
    "place", ["Documents/thesis", f"Documents/{KEY}", "python/project", f"python/{KEY[:-1]}"]
)
def test_prune_leaves_what_only_looks_half_built(store: FolderStore, place: str) -> None:
    # Somebody named a folder of their own for the store.
    (store.root / place).mkdir(parents=True)
    (store.root / place / "chapter").write_text("x")
    assert store.prune(everything=True).half_built == ()
    assert (store.root / place / "chapter").exists()


@pytest.mark.parametrize("link", ["python", f"python/{KEY}"])
def test_prune_does_not_follow_links(store: FolderStore, tmp_path: Path, link: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    folder = elsewhere / Path(KEY, KEY)
    folder.mkdir(parents=True)
    (elsewhere / KEY / "mine").write_text("x")
    (store.root / link).parent.mkdir(exist_ok=True)
    (store.root / link).symlink_to(elsewhere if link == "python" else elsewhere / KEY)
    assert store.prune(everything=True).half_built == ()
    assert (elsewhere / KEY / "mine").exists()


def test_a_folder_of_sessions_that_is_not_the_stores_is_left(store: FolderStore) -> None:
    (store.root / "sessions").mkdir()
    (store.root / "sessions" / "monday").write_text("notes")
    store.ensure("thing", "key", fill())
    store.prune(everything=True)
    assert (store.root / "sessions" / "monday").read_text() == "notes"


def test_every_kind_that_the_harness_keeps_is_known() -> None:
    sources = Path(harness.__file__).parent.rglob("*.py")
    named = {
        kind
        for source in sources
        for kind in re.findall(r'_KIND: Final = "(.+)"', source.read_text())
    }
    assert named | {"bundle", "interpreter"} == KINDS


def test_a_root_that_the_store_makes_is_tagged(store: FolderStore) -> None:
    assert (store.root / TAG).read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")


def test_a_folder_that_has_other_things_is_not_tagged(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    FolderStore(tmp_path)
    assert not (tmp_path / TAG).exists()


def test_use_is_noted(store: FolderStore) -> None:
    folder = store.ensure("thing", "key", fill())
    os.utime(folder / MARKER, (1, 1))
    store.ensure("thing", "key", fill())
    assert store.entries()[0].used > time.time() - 60


def test_a_size_counts_a_file_of_two_names_once(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"x" * 100_000)
    size = tree_size(tmp_path)
    (tmp_path / "two").hardlink_to(tmp_path / "one")
    assert tree_size(tmp_path) == size


def test_the_root_is_what_the_variable_names(tmp_path: Path) -> None:
    assert default_root({"HARNESS_CACHE": str(tmp_path)}) == tmp_path
    assert default_root({}).name == "r-python-harness"


def tree(folder: Path) -> None:
    (folder / "root" / "usr" / "bin").mkdir(parents=True)
    (folder / "root" / "usr" / "bin" / "R").write_text("#!/bin/sh")
    (folder / "root" / "lib").symlink_to("usr/lib")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.pyc").write_text("compiled")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda root: (root / "usr/bin/R").unlink(), "root/usr/bin/R is gone"),
        (lambda root: os.truncate(root / "usr/bin/R", 3), "root/usr/bin/R has 3 bytes"),
        (lambda root: (root / "lib").unlink(), "root/lib is gone"),
        (shutil.rmtree, "is gone"),
        (lambda root: (root.parent / ".files").write_bytes(b"x"), ".files cannot be read"),
        (lambda root: (root.parent / ".files").write_bytes(b""), ".files is empty"),
        (lambda root: (root.parent / ".files").write_bytes(bytes(400)), ".files cannot be read"),
    ],
)
def test_an_entry_that_lost_a_file_is_noticed_and_built_anew(tmp_path: Path, damage, said) -> None:
    with FolderStore(tmp_path) as store:
        store.ensure("r-debian", "0123456789abcdef", tree)
    damage(tmp_path / "r-debian" / "0123456789abcdef" / "root")
    notes: list[str] = []
    with FolderStore(tmp_path, notify=notes.append) as store:
        folder = store.ensure("r-debian", "0123456789abcdef", tree)
        store.ensure("r-debian", "0123456789abcdef", refuse)
    assert (folder / "root" / "usr" / "bin" / "R").read_text() == "#!/bin/sh"
    (note,) = notes
    assert note.startswith("r-debian/0123456789ab was damaged (")
    assert said in note


def test_what_is_compiled_later_and_what_is_renewed_in_place_is_no_damage(tmp_path: Path) -> None:
    for kind in ("python", "registry"):
        FolderStore(tmp_path).ensure(kind, "a", tree)
    (tmp_path / "python" / "a" / "__pycache__" / "x.pyc").write_text("compiled anew")
    (tmp_path / "python" / "a" / "more").write_text("added")
    (tmp_path / "registry" / "a" / "root" / "usr" / "bin" / "R").write_text("another answer")
    with FolderStore(tmp_path) as store:
        for kind in ("python", "registry"):
            store.ensure(kind, "a", refuse)


def test_an_entry_of_an_older_harness_is_taken_as_it_is(tmp_path: Path) -> None:
    FolderStore(tmp_path).ensure("python", "a", tree)
    (tmp_path / "python" / "a" / ".files").unlink()
    with FolderStore(tmp_path) as store:
        store.ensure("python", "a", refuse)


def test_what_is_damaged_is_not_put_right_under_another_run(tmp_path: Path) -> None:
    notes: list[str] = []
    one = FolderStore(tmp_path)
    folder = one.ensure("r-debian", KEY, tree)
    (folder / "root/usr/bin/R").unlink()
    said = (
        rf"{KEY} was damaged \(root/usr/bin/R is gone\), and another run uses it "
        rf"\(process {os.getpid()}\): begin again when that has ended"
    )
    with FolderStore(tmp_path, notify=notes.append) as other:
        with pytest.raises(MachineFault, match=said):
            other.ensure("r-debian", KEY, tree)
        assert (folder / "root" / "lib").is_symlink()
        assert notes == []
        # The one that was refused does not use it: else two would hold each other off.
        one.close()
        other.ensure("r-debian", KEY, tree)
    assert (folder / "root/usr/bin/R").exists()


def test_an_entry_that_lost_its_marker_is_not_built_anew_under_another_run(tmp_path: Path) -> None:
    one = FolderStore(tmp_path)
    folder = one.ensure("thing", "key", fill())
    (folder / MARKER).unlink()
    with FolderStore(tmp_path) as other:
        with pytest.raises(MachineFault, match=r"damaged \(\.complete is gone\), and another run"):
            other.ensure("thing", "key", fill())
        with pytest.raises(MachineFault, match=r"damaged \(\.complete is gone\), and another run"):
            other.ensure("thing", "key", fill(), verify=lambda _folder: False)
        one.close()
        other.ensure("thing", "key", fill())


def test_what_is_no_longer_good_is_not_built_anew_under_another_run(tmp_path: Path) -> None:
    with FolderStore(tmp_path) as one, FolderStore(tmp_path) as other:
        one.ensure("thing", "key", fill())
        with pytest.raises(MachineFault, match=r"damaged \(it is no longer good\), and another"):
            other.ensure("thing", "key", fill(), verify=lambda _folder: False)


def test_a_build_that_failed_is_no_use_of_what_it_made(tmp_path: Path) -> None:
    def fail(_folder: Path) -> None:
        raise RuntimeError("no")

    with FolderStore(tmp_path) as one, FolderStore(tmp_path) as other:
        with pytest.raises(RuntimeError):
            one.ensure("thing", "key", fail)
        (tmp_path / "thing" / "key").mkdir()
        other.ensure("thing", "key", fill())


def test_files_are_on_disk_before_their_list_and_that_before_the_marker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "python" / "a"
    seen: list[tuple[str, bool, bool]] = []
    sync, fsync = listing._sync, os.fsync

    def note(what: str) -> None:
        seen.append((what, (folder / ".files").exists(), (folder / MARKER).exists()))

    def noted_sync(root: bytes) -> None:
        note("all")
        sync(root)

    def noted_fsync(number: int) -> None:
        note(Path(f"/proc/self/fd/{number}").readlink().name)
        fsync(number)

    monkeypatch.setattr(listing, "_sync", noted_sync)
    monkeypatch.setattr(os, "fsync", noted_fsync)
    FolderStore(tmp_path).ensure("python", "a", tree)
    assert seen == [
        ("all", False, False),
        (".files", True, False),
        (f"{MARKER}.draft", True, False),
        ("a", True, True),
    ]


def refuse(_folder: Path) -> None:
    raise AssertionError("it is there already")


def test_a_link_in_the_place_of_an_entry_gives_way_to_it(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / MARKER).write_text("mine")
    (tmp_path / "store" / "thing").mkdir(parents=True)
    (tmp_path / "store" / "thing" / "key").symlink_to(elsewhere)
    folder = FolderStore(tmp_path / "store").ensure("thing", "key", fill())
    assert not folder.is_symlink()
    assert [path.name for path in elsewhere.iterdir()] == [MARKER]


def test_a_root_that_can_only_be_read_can_be_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_args: object, **_named: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "open", refused)
    assert FolderStore(tmp_path).entries() == ()


@pytest.mark.usefixtures("without_locks")
def test_a_file_system_without_locks_is_told(store: FolderStore) -> None:
    said = f"^{store.root}: this file system keeps no locks; set HARNESS_CACHE to a folder on a "
    with pytest.raises(MachineFault, match=said):
        store.ensure("thing", KEY, fill())
    (store.root / "lock" / KEY).mkdir(parents=True)
    with pytest.raises(MachineFault, match=said):
        store.prune(everything=True)
