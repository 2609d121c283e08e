"""Where the source of an R package comes from, and what is said where there is none."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import socketserver
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import Unavailable, UsageError
from harness.model.environment import RToolchain, SourceLibrary, SourcePackage
from harness.provision.r.build import RLibrary, build_r_packages, why, with_libraries
from harness.provision.r.source import (
    Needed,
    Repository,
    Source,
    address_of,
    is_asked,
    newest_of,
)
from harness.provision.store import FolderStore

R = RToolchain(
    version="4.2.2",
    rscript=Path("/usr/bin/Rscript"),
    root=Path("/nowhere"),
    packages={"base": "4.2.2"},
    source="teleport:1",
    digest="d",
)


def package(folder: Path, name: str = "tiny", version: str = "0.1-2") -> Path:
    """Write the source of an R package."""
    source = folder / name
    (source / "R").mkdir(parents=True)
    text = f"Package: {name}\nVersion: {version}\nTitle: Of\n a test\n"
    (source / "DESCRIPTION").write_text(text)
    (source / "R" / "tiny.R").write_text("answer <- function() 42\n")
    return source


def archive(folder: Path, name: str = "tiny", version: str = "0.1-2") -> Path:
    """Write the archive of an R package, as ``R CMD build`` names it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}_{version}.tar.gz"
    text = f"Package: {name}\nVersion: {version}\n".encode()
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo(f"{name}/DESCRIPTION")
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text))
    return path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FolderStore]:
    with FolderStore(tmp_path / "store") as store:
        yield store


@pytest.fixture
def find(store: FolderStore):
    def find(
        address: object, version: str | None = None, *, name: str = "tiny", place: str | None = None
    ) -> Source:
        repository = Repository(None if address is None else str(address), store, environ={})
        return repository.find(SourcePackage(name=name, version=version, location=place))

    return find


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """A folder, served on this machine."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_arguments: object) -> None:
            pass

    handler = partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_without_a_setting_the_sentence_names_it(find):
    with pytest.raises(Unavailable) as said:
        find(None, "0.1-2")
    assert "there is no source of tiny 0.1-2 here: set HARNESS_CRAN (or give" in str(said.value)


def test_the_setting_comes_from_the_option_or_else_from_the_environment():
    environ = {"HARNESS_CRAN": "/theirs/ "}
    assert address_of("/mine/", environ) == "/mine"
    assert address_of(None, environ) == "/theirs"
    assert address_of(None, {}) == ""


@pytest.mark.parametrize(
    "address",
    [
        "http://[bad",
        "http://host:port",
        "https://a b/c",
        "ftp://",
        "HTTP://",
        "http://u:secret@h:x",
    ],
)
def test_what_is_no_address_is_told(address: str) -> None:
    with pytest.raises(UsageError) as told:
        address_of(address, {})
    assert "is no address of a repository of R packages; give --cran" in str(told.value)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf", "ended 95 bytes too soon"),
        (b"hello\r\n\r\n", "no answer that is HTTP (BadStatusLine)"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n"
            + gzip.compress(b"Package: tiny", mtime=0)[:10].ljust(40, b"\xff"),
            "invalid block type",
        ),
    ],
    ids=["cut", "no HTTP", "damaged"],
)
def test_a_repository_that_answers_with_less_or_else_is_out_of_reach(
    tmp_path: Path, sent: bytes, said: str
) -> None:
    class Odd(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            self.request.sendall(sent)

    with socketserver.TCPServer(("127.0.0.1", 0), Odd) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.server_address[1]}"
            with FolderStore(tmp_path / "store") as store, pytest.raises(Unavailable) as told:
                Repository(address, store, environ={}).versions("tiny")
        finally:
            server.shutdown()
            thread.join()
    assert "cannot be read: " in str(told.value)
    assert said in str(told.value)


def test_a_folder_of_unpacked_sources(find, tmp_path):
    place = package(tmp_path / "cran")
    for address in (tmp_path / "cran", f"file://{tmp_path}/cran"):
        found = find(address)
        assert (found.name, found.version, found.place) == ("tiny", "0.1-2", place)


def test_a_folder_with_archives_alone(find, tmp_path):
    archive(tmp_path / "cran", version="0.9")
    newest = archive(tmp_path / "cran", version="0.10")
    assert find(tmp_path / "cran").place == newest
    assert find(tmp_path / "cran", "0.9").version == "0.9"


def test_a_folder_laid_out_as_cran_with_what_was_archived(find, tmp_path):
    contrib = tmp_path / "src" / "contrib"
    archive(contrib, version="2.0")
    old = archive(contrib / "Archive" / "tiny", version="1.0")
    archive(contrib, name="tinyverse", version="3.0")
    assert find(tmp_path).version == "2.0"
    assert find(tmp_path, "1.0").place == old


def test_a_version_that_is_not_there_is_told_with_those_that_are(find, tmp_path):
    package(tmp_path)
    with pytest.raises(Unavailable, match=r"has no tiny 9\.9: it has 0\.1-2; set HARNESS_CRAN"):
        find(tmp_path, "9.9")
    with pytest.raises(Unavailable, match=r"names .*nowhere, which is no folder"):
        find(tmp_path / "nowhere")


def test_a_series_is_the_newest_of_it_and_a_whole_version_is_that_one(find, tmp_path):
    archive(tmp_path, version="1.41.0")
    archive(tmp_path, version="1.41.0.1")
    archive(tmp_path, version="1.4")
    assert find(tmp_path, "1.41").version == "1.41.0.1"
    assert find(tmp_path, "1.41.0").version == "1.41.0"
    assert find(tmp_path, "1.4").version == "1.4"
    with pytest.raises(Unavailable, match=r"no tiny 1\.42: it has 1\.4, 1\.41\.0, 1\.41\.0\.1;"):
        find(tmp_path, "1.42")


def test_a_dash_is_a_dot_to_r(find, tmp_path):
    place = package(tmp_path, version="0.0-6")
    assert find(tmp_path, "0.0.6").place == place


def test_the_archive_of_a_repository_on_the_network_is_read_for_a_series(store, served, tmp_path):
    contrib = tmp_path / "served" / "src" / "contrib"
    archive(contrib, version="2.0")
    (contrib / "PACKAGES").write_text("Package: tiny\nVersion: 2.0\n")
    for version in ("1.9", "1.9.1", "1.10"):
        archive(contrib / "Archive" / "tiny", version=version)
    repository = Repository(served, store, environ={})
    assert repository.versions("tiny") == ("1.9", "1.9.1", "1.10", "2.0")
    assert repository.find(SourcePackage(name="tiny", version="1.9")).version == "1.9.1"
    assert repository.find(SourcePackage(name="tiny", version="2.0")).version == "2.0"
    assert repository.versions("nobody") == ()


def test_the_versions_of_a_folder_and_of_no_repository(store, tmp_path):
    archive(tmp_path / "src" / "contrib", version="1.10")
    archive(tmp_path / "src" / "contrib" / "Archive" / "tiny", version="1.9")
    assert Repository(str(tmp_path), store).versions("tiny") == ("1.9", "1.10")
    assert Repository(None, store, environ={}).versions("tiny") == ()


NEEDY = """Package: tiny
Version: 1.0
Depends: R (>= 3.5)
Imports: Rcpp (>= 1.0.7), RcppTOML, graphics,
        withr
LinkingTo: Rcpp
Suggests: testthat
"""


def test_what_a_package_needs_is_read_from_its_description(tmp_path):
    place = package(tmp_path)
    (place / "DESCRIPTION").write_text(NEEDY)
    source = Source(name="tiny", version="1.0", place=place, digest="")
    assert [str(one) for one in source.needs()] == [
        "R >= 3.5", "Rcpp >= 1.0.7", "RcppTOML", "graphics", "withr", "Rcpp",
    ]  # fmt: skip
    packed = tmp_path / "tiny_1.0.tar.gz"
    with tarfile.open(packed, "w:gz") as tar:
        tar.add(place, "tiny")
    assert Source(name="tiny", version="1.0", place=packed, digest="").needs() == source.needs()
    packed.write_bytes(b"no archive")
    with pytest.raises(Unavailable, match="has no DESCRIPTION to read"):
        Source(name="tiny", version="1.0", place=packed, digest="").needs()


@pytest.mark.parametrize(
    ("sign", "version", "has", "met"),
    [
        ("", "", "0.1", True),
        (">=", "1.0.7", "1.0.10", True),
        (">=", "1.0.7", "1.0.6", False),
        (">", "1.0", "1.0", False),
        ("<=", "1.0", "1.0", True),
        ("<", "2", "10", False),
        ("==", "0.0-6", "0.0.6", True),
        ("!=", "1.0", "1.0", False),
    ],
)
def test_versions_are_compared_as_r_does_it(sign, version, has, met):
    assert Needed(name="x", sign=sign, version=version).is_met(has) is met


@given(st.lists(st.integers(0, 99), min_size=1, max_size=4))
def test_a_version_is_what_its_own_series_asks_for(parts):
    version = ".".join(map(str, parts))
    assert is_asked(version, version)
    assert is_asked(".".join(map(str, parts[:2])), version)
    assert newest_of(version, [version]) == version
    assert newest_of(None, [version, "100"]) == "100"


def test_a_repository_on_the_network(find, served, tmp_path):
    contrib = tmp_path / "served" / "src" / "contrib"
    path = archive(contrib, version="2.0")
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    listed = f"Package: other\nVersion: 1\n\nPackage: tiny\nVersion: 2.0\nMD5sum: {md5}\n"
    (contrib / "PACKAGES.gz").write_bytes(gzip.compress(listed.encode()))
    archive(contrib / "Archive" / "tiny", version="1.0")
    assert find(served).version == "2.0"
    assert find(served).place.read_bytes() == path.read_bytes()
    assert find(served, "1.0").version == "1.0"
    with pytest.raises(Unavailable, match=r"http://127.0.0.1:\d+ \(HARNESS_CRAN\) has no tiny 3"):
        find(served, "3.0")
    with pytest.raises(Unavailable, match=r"has no nobody: set HARNESS_CRAN"):
        find(served, name="nobody")


def test_a_list_without_compression_will_do_and_a_wrong_sum_will_not(find, served, tmp_path):
    contrib = tmp_path / "served" / "src" / "contrib"
    archive(contrib, version="2.0")
    (contrib / "PACKAGES").write_text("Package: tiny\nVersion: 2.0\nMD5sum: 0\n")
    with pytest.raises(Unavailable, match=r"is not what its list says \(MD5\)"):
        find(served)


def test_an_address_that_is_no_repository_or_is_out_of_reach(find, served):
    with pytest.raises(Unavailable, match=r"cannot be read: there is no src/contrib/PACKAGES"):
        find(served)
    with pytest.raises(Unavailable, match=r"cannot be read: .*refused.*; set HARNESS_CRAN"):
        find("http://127.0.0.1:9", "1.0")


def test_a_password_in_the_address_is_not_told(find):
    with pytest.raises(Unavailable) as said:
        find("http://me:secret@127.0.0.1:9")
    assert "secret" not in str(said.value)


def test_a_package_that_says_itself_where_it_is(find, tmp_path):
    place = package(tmp_path)
    assert find(None, place=str(place)).version == "0.1-2"
    tar = archive(tmp_path, version="3.0")
    assert find(None, place=str(tar)).version == "3.0"
    with pytest.raises(Unavailable, match=r"is tiny 0\.1-2, not 4"):
        find(None, "4", place=str(place))
    with pytest.raises(Unavailable, match="is not the source of the R package other"):
        find(None, name="other", place=str(place))


def test_a_fresh_copy_is_without_what_was_compiled(find, tmp_path):
    place = package(tmp_path / "cran")
    (place / "src").mkdir()
    (place / "src" / "tiny.c").write_text("int tiny;\n")
    (place / ".git").mkdir()
    before = find(tmp_path / "cran").digest
    (place / "src" / "tiny.o").write_text("of another R")
    (place / ".git" / "HEAD").write_text("ref")
    found = find(tmp_path / "cran")
    assert found.digest == before
    copy = found.unpack(tmp_path / "copy")
    assert sorted(path.name for path in copy.rglob("*")) == [
        "DESCRIPTION", "R", "src", "tiny.R", "tiny.c",
    ]  # fmt: skip
    (place / "src" / "tiny.c").write_text("int tinier;\n")
    assert find(tmp_path / "cran").digest != before


def test_an_archive_is_unpacked_and_must_be_whole(find, tmp_path):
    tar = archive(tmp_path / "cran")
    target = tmp_path / "copy"
    target.mkdir()
    assert (find(tmp_path / "cran").unpack(target) / "DESCRIPTION").is_file()
    tar.write_bytes(tar.read_bytes()[:40])
    with pytest.raises(Unavailable, match="cannot be unpacked"):
        find(tmp_path / "cran").unpack(tmp_path / "other")


def test_an_r_of_which_nobody_has_compilers(store, tmp_path, monkeypatch):
    monkeypatch.setattr("harness.provision.r.build.require", lambda *_needs, **_more: None)
    source = Source(name="tiny", version="1", place=package(tmp_path), digest="x")
    with pytest.raises(Unavailable, match="nothing can be built for the R of teleport:1"):
        build_r_packages(
            R, [source], SourceLibrary(packages=()), store=store, notify=lambda _line: None
        )
    assert store.entries() == ()


def test_libraries_come_before_what_the_r_has():
    built = [
        RLibrary(folder=Path("/first"), packages={"RJSONIO": "2.0.0"}),
        RLibrary(folder=Path("/second"), packages={"rPython": "0.0-6"}),
    ]
    r = with_libraries(R, built)
    assert r.env["R_LIBS"] == "/second:/first"
    assert r.binds == (Path("/second"), Path("/first"))
    assert r.packages == {"base": "4.2.2", "RJSONIO": "2.0.0", "rPython": "0.0-6"}
    assert r.digest != R.digest


def test_a_library_joins_those_that_are_there_already():
    first = with_libraries(R, [RLibrary(folder=Path("/first"), packages={"a": "1"})])
    second = with_libraries(first, [RLibrary(folder=Path("/second"), packages={"a": "2"})])
    assert second.env["R_LIBS"] == "/second:/first"
    assert second.packages["a"] == "2"


UNDEFINED = """unable to load shared object 'x.so':
  x.so: undefined symbol: Py_Initialize
ERROR: loading failed
"""
NO_HEADERS = """pycall.c:1:10: fatal error: Python.h: No such file
ERROR: compilation failed for package
"""
NO_CONFIG = """could not locate python-config
ERROR: configuration failed for package
"""
NOT_PARSED = """Error in parse(outFile) :
  BUILD/source/tiny/R/zzz.R:2:0: unexpected end of input
ERROR: unable to collate and parse R files for package 'tiny'
"""
OF_THE_FOLDER = """Error in parse(...) :
  BUILD/source/tiny:1:21: unexpected '{'
1: answer <- function( {
ERROR: unable to collate and parse R files for package 'tiny'
"""
LATE = "g++ -c a.cpp\na.cpp:7: error: first\nb.cpp:1:1: error: second\n"
NO_RJSONIO = "ERROR: dependency 'RJSONIO' is not available"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (UNDEFINED, "undefined symbol: Py_Initialize"),
        (NO_HEADERS, "pycall.c:1:10: fatal error: Python.h: No such file"),
        (NOT_PARSED, "BUILD/source/tiny/R/zzz.R:2:0: unexpected end of input"),
        (OF_THE_FOLDER, "BUILD/source/tiny:1:21: unexpected '{'"),
        (LATE, "a.cpp:7: error: first"),
        (NO_CONFIG, "could not locate python-config"),
        (NO_RJSONIO, NO_RJSONIO),
        ("something\nelse", "else"),
        ("", "it ended without a word"),
    ],
)
def test_the_reason_is_found_in_what_a_build_prints(said, reason):
    assert why(said) == reason
