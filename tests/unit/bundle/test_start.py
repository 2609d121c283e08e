"""What a bundle runs first: it unpacks what is whole and stays inside, and nothing else."""

from __future__ import annotations

import ast
import fcntl
import io
import json
import lzma
import os
import subprocess
import sys
import tarfile
import zipfile
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.bundle import start
from harness.provision import listing, store

UNAME = os.uname()
HERE = f"{UNAME.machine} {UNAME.sysname}"


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", text: bytes = b"12345"):
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.mode = kind, link, 0o755
    if kind == tarfile.REGTYPE:
        member.size = len(text)
    return member, text


def bundle(tmp_path: Path, *entries, manifest: dict | None = None, **payload) -> str:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member, text in entries:
            archive.addfile(member, io.BytesIO(text) if member.isreg() else None)
    packed = lzma.compress(buffer.getvalue())
    said = {
        "schema": start.SCHEMA,
        "machine": HERE,
        "matrix": "m",
        "payload": {
            "size": len(packed),
            "sha256": sha256(packed).hexdigest(),
            "unpacked": 1000,
            "files": 20,
            **payload,
        },
        **(manifest or {}),
    }
    file = tmp_path / "cells.pyz"
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("__main__.py", Path(start.__file__).read_bytes())
        made.writestr(start.MANIFEST, json.dumps(said))
        made.writestr(start.PAYLOAD, packed)
    return str(file)


@pytest.fixture
def inside(tmp_path):
    folder = tmp_path / "inside"
    folder.mkdir()
    return folder


def test_files_folders_and_links_are_written(tmp_path, inside):
    file = bundle(
        tmp_path,
        entry("a", tarfile.DIRTYPE),
        entry("a/b/c"),
        entry("a/link", tarfile.SYMTYPE, "b/c"),
        entry("d/up", tarfile.SYMTYPE, "../a/b/c"),
    )
    assert start.unpack(file, str(inside)) == 5
    assert (inside / "a/b/c").read_bytes() == b"12345"
    assert (inside / "a/link").resolve() == (inside / "d/up").resolve() == inside / "a/b/c"
    assert os.access(inside / "a/b/c", os.X_OK)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([entry("../x")], "outside of its folder"),
        ([entry("/x")], "outside of its folder"),
        ([entry("a/../../x")], "outside of its folder"),
        ([entry("a//x")], "outside of its folder"),
        ([entry("a"), entry("a")], "twice"),
        ([entry("a"), entry("a/b")], "which is no folder"),
        ([entry("l", tarfile.SYMTYPE, "/etc")], "leads outside"),
        ([entry("l", tarfile.SYMTYPE, "..")], "leads outside"),
        ([entry("a/l", tarfile.SYMTYPE, "../../etc")], "leads outside"),
        ([entry("a/l", tarfile.SYMTYPE, "b/../../../etc")], "leads outside"),
        ([entry("l", tarfile.SYMTYPE, "a"), entry("l/x")], "which is no folder"),
        ([entry("l", tarfile.SYMTYPE, "a"), entry("l")], "twice"),
        ([entry("h", tarfile.LNKTYPE, "/etc/passwd")], "no file, folder or link"),
        ([entry("c", tarfile.CHRTYPE)], "no file, folder or link"),
        ([entry("b", tarfile.BLKTYPE)], "no file, folder or link"),
        ([entry("p", tarfile.FIFOTYPE)], "no file, folder or link"),
        ([entry(".files")], "no part of a bundle"),
        ([entry(".complete/x")], "no part of a bundle"),
        ([entry(".in-use", tarfile.SYMTYPE, "a")], "no part of a bundle"),
        ([entry("x" * 300)], "not possible here"),
        ([entry("big", text=b"x" * 2000)], "larger than its manifest"),
        ([entry(f"f{number}") for number in range(30)], "more files than"),
    ],
)
def test_what_would_lie_elsewhere_is_refused(tmp_path, inside, entries, said):
    with pytest.raises(start.Refused, match=said):
        start.unpack(bundle(tmp_path, *entries), str(inside))
    assert {path.name for path in tmp_path.iterdir()} == {"inside", "cells.pyz"}


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({"sha256": "0" * 64}, "damaged or was changed"),
        ({"size": 3}, "larger than its manifest"),
        ({"size": 10**6}, "damaged or was changed"),
        ({"files": 10**9}, "more than"),
        ({"unpacked": -1}, "says no 'unpacked'"),
        ({"unpacked": "1"}, "says no 'unpacked'"),
        ({"sha256": None}, "no digest"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(tmp_path, inside, payload, said):
    with pytest.raises(start.Refused, match=said):
        start.unpack(bundle(tmp_path, entry("a"), **payload), str(inside))
    assert not list(inside.iterdir())


def test_a_small_file_that_unpacks_to_much_is_refused(tmp_path, inside):
    file = bundle(tmp_path, entry("zeros", text=bytes(50_000_000)))
    assert Path(file).stat().st_size < 100_000
    with pytest.raises(start.Refused, match="larger than its manifest"):
        start.unpack(file, str(inside))


def test_a_header_that_is_read_at_once_may_not_be_large(tmp_path, inside):
    """Python's tarfile reads the header of a long name whole, whatever its size."""
    member = tarfile.TarInfo("././@LongLink")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 20_000_000
    long = member.tobuf(tarfile.GNU_FORMAT) + bytes(member.size)
    packed = lzma.compress(long + bytes(20_000_000 % 512) + bytes(1024))
    digest = {"size": len(packed), "sha256": sha256(packed).hexdigest(), "unpacked": 10**9}
    file = bundle(tmp_path, entry("a"), **digest)
    rewritten(file, {start.PAYLOAD: packed})
    with pytest.raises(start.Refused, match="a header that is too long"):
        start.unpack(file, str(inside))


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("name", [start.MANIFEST, start.PAYLOAD])
def test_members_that_python_unpacks_whole_are_refused(tmp_path, inside, name, kind):
    file = bundle(tmp_path, entry("a"))
    rewritten(file, {}, {name: kind})
    with pytest.raises(start.Refused, match="packed in a way"):
        start.unpack(file, str(inside))


def rewritten(file: str, texts: dict[str, bytes], kinds: dict[str, int] | None = None) -> None:
    """Write a bundle anew with other members, or members packed otherwise."""
    with zipfile.ZipFile(file) as made:
        members = {name: made.read(name) for name in made.namelist()}
    with zipfile.ZipFile(file, "w") as made:
        for name, text in {**members, **texts}.items():
            made.writestr(name, text, compress_type=(kinds or {}).get(name, zipfile.ZIP_STORED))


def test_what_the_disk_cannot_hold_is_said_before_anything_is_written(tmp_path, inside):
    with pytest.raises(start.NoRoom, match="there is room for"):
        start.unpack(bundle(tmp_path, entry("a"), unpacked=2**60), str(inside))
    assert not list(inside.iterdir())


@pytest.mark.parametrize("text", [b"", b"no zip", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_bundle_is_refused(tmp_path, text):
    file = tmp_path / "x"
    file.write_bytes(text)
    with pytest.raises(start.Refused, match="no bundle"):
        start.read_manifest(str(file))
    with pytest.raises(start.Refused, match="cannot be read"):
        start.read_manifest(str(tmp_path / "nothing"))


def test_a_newer_layout_is_refused(tmp_path):
    with pytest.raises(start.Refused, match="made by a newer harness"):
        start.read_manifest(bundle(tmp_path, manifest={"schema": start.SCHEMA + 1}))


NAMES = st.lists(st.sampled_from(["a", "b", "..", ".", "", "l"]), min_size=1, max_size=4).map(
    "/".join
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(
            NAMES, st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE]), NAMES
        ),
        max_size=8,
    )
)
def test_no_archive_leads_out_of_the_folder(tmp_path_factory, entries):
    top = tmp_path_factory.mktemp("top")
    inside = top / "x" / "inside"
    inside.mkdir(parents=True)
    file = bundle(top, *(entry(*one) for one in entries))
    with suppress(start.Refused):
        start.unpack(file, str(inside))
    assert {path.name for path in (top / "x").iterdir()} == {"inside"}
    for path in inside.rglob("*"):
        assert path.parent.resolve() == path.parent
        # A link may lead round in a circle, and so nowhere.
        if path.exists():
            assert path.resolve().is_relative_to(inside)


# --- begun with Python alone ----------------------------------------------------------------------


def test_it_needs_the_standard_library_alone():
    tree = ast.parse(Path(start.__file__).read_text(), feature_version=(3, 7))
    names = {alias.name for one in ast.walk(tree) if isinstance(one, ast.Import)
             for alias in one.names}  # fmt: skip
    names |= {one.module or "" for one in ast.walk(tree) if isinstance(one, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names


def test_it_marks_what_is_whole_as_the_store_does():
    assert (start.MARKER, start.MARKER_SCHEMA) == (store.MARKER, store.SCHEMA)
    assert Path(start.store_folder({"HARNESS_CACHE": "/x/y"})) == store.default_root(
        {"HARNESS_CACHE": "/x/y"}
    )
    assert Path(start.store_folder(dict(os.environ))) == store.default_root()


def begun(
    file: str, tmp_path: Path, *arguments: str, **environ: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", file, *arguments],
        env={"HARNESS_CACHE": str(tmp_path / "cache"), "PATH": os.defpath, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


def test_it_starts_the_python_that_is_in_it(tmp_path):
    script = b'#!/bin/sh\necho "$PYTHONPATH" "$HARNESS_CALLERS_PYTHONPATH" "$@"\n'
    file = bundle(
        tmp_path,
        entry("bin/python", text=script),
        entry("site/x"),
        manifest={"start": {"python": "bin/python", "site": "site", "libc": "2.2"}},
    )
    for _ in range(2):
        ran = begun(file, tmp_path, "--results", "DIR", PYTHONPATH="/srv/modules")
        assert ran.returncode == 0, ran.stderr
        site, callers, *command = ran.stdout.split()
        assert site.endswith("/site")
        assert callers == "/srv/modules"
        assert command == ["-P", "-m", "harness", "run", "--bundle", file, "--results", "DIR"]
    # The second time it was there already.
    assert "unpacking" not in ran.stderr
    with store.FolderStore(tmp_path / "cache") as kept:
        (found,) = kept.entries()
    assert (found.kind, found.description) == ("bundle", "bundle of m")


STARTED = {"start": {"python": "bin/python", "site": "site", "libc": "2.2"}}


def test_what_a_cleaner_took_from_it_is_unpacked_anew(tmp_path):
    file = bundle(
        tmp_path, entry("bin/python", text=b"#!/bin/sh\n"), entry("site/x"), manifest=STARTED
    )
    assert begun(file, tmp_path).returncode == 0
    (folder,) = (tmp_path / "cache" / "bundle").iterdir()
    listing.list_files(folder, but=(start.MARKER, start.IN_USE))
    assert "damaged" not in begun(file, tmp_path).stderr
    (folder / "site" / "x").unlink()
    with (folder / start.IN_USE).open("w") as use:
        fcntl.flock(use, fcntl.LOCK_SH)
        ran = begun(file, tmp_path)
    assert ran.returncode == 4
    assert f"{folder} was damaged (site/x is gone), and another run uses it" in ran.stderr
    assert "Traceback" not in ran.stderr
    ran = begun(file, tmp_path)
    assert ran.returncode == 0
    assert f"{folder} was damaged (site/x is gone)\nunpacking {file}" in ran.stderr
    assert (folder / "site" / "x").read_bytes() == b"12345"


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        (lambda _folder: None, ""),
        (lambda folder: (folder / "a").write_text("longer"), "a has 6 bytes instead of 1"),
        (lambda folder: (folder / "b" / "c").unlink(), "b/c is gone"),
        (lambda folder: (folder / start.FILES).unlink(), ""),
        (lambda folder: (folder / start.FILES).write_text("x"), ".files cannot be read"),
        (lambda folder: (folder / start.FILES).write_text(""), ".files is empty"),
        (lambda folder: (folder / start.IN_USE).write_text("x"), ""),
    ],
)
def test_it_finds_damage_as_the_store_does(tmp_path, change, lost):
    (tmp_path / "b").mkdir()
    for name in ("a", "b/c", start.IN_USE):
        (tmp_path / name).write_text("1")
    listing.list_files(tmp_path, but=(start.IN_USE,))
    change(tmp_path)
    assert start.FILES == listing.FILES
    assert start.damage(str(tmp_path)) == lost == (listing.first_damaged(tmp_path) or "")


@pytest.mark.parametrize(
    ("manifest", "code", "said"),
    [
        ({"start": {"python": "p", "site": "s", "libc": "99.1"}}, 4, "need the GNU C library 99.1"),
        ({"machine": "s390x Linux", "start": {"python": "p", "site": "s"}}, 4, "are for s390x"),
        ({"start": {"python": "none", "site": "s"}}, 4, "cannot be started"),
        ({"start": {"python": "/bin/sh", "site": "s"}}, 2, "would start what is not in it"),
        ({"start": {"python": "p", "site": "../s"}}, 2, "would start what is not in it"),
        ({"start": {"python": 1, "site": "s"}}, 2, "does not say what to start"),
        ({}, 2, "does not say what to start"),
        ({"schema": 99}, 2, "newer harness"),
    ],
)
def test_it_says_in_a_line_why_it_cannot_begin(tmp_path, manifest, code, said):
    ran = begun(bundle(tmp_path, entry("a"), manifest=manifest), tmp_path)
    assert ran.returncode == code
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_cache_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "cache").write_text("a file")
    ran = begun(bundle(tmp_path, entry("a")), tmp_path)
    assert ran.returncode == 4
    assert "HARNESS_CACHE" in ran.stderr


@pytest.mark.usefixtures("without_locks")
def test_where_there_are_no_locks_is_said(tmp_path, monkeypatch, capsys):
    file = bundle(tmp_path, entry("bin/python"), entry("site/x"), manifest=STARTED)
    monkeypatch.setattr(sys, "argv", [file])
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    assert start.main([]) == 4
    assert capsys.readouterr().err == (
        f"harness: {file}: {tmp_path}/cache: this file system keeps no locks; set HARNESS_CACHE "
        "to a folder on a local disk\n"
    )
