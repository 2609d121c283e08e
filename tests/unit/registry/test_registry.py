"""What an index has, kept for a day, and longer where it is out of reach."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness.errors import Unavailable
from harness.model.environment import PackageSources
from harness.provision.store import FolderStore
from harness.registry import Registry
from harness.registry.fetch import Fetcher, Unreached
from harness.registry.places import Place
from tests.unit.registry.conftest import JSON, Index

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
WHEEL = "torch-2.13.0-py3-none-any.whl"
METADATA = b"Metadata-Version: 2.1\nName: torch\nVersion: 2.13.0\nRequires-Dist: numpy<3\n"


def page(*names: str) -> tuple[bytes, str]:
    files = [{"filename": name, "url": f"/files/{name}", "hashes": {}} for name in names]
    return json.dumps({"files": files}).encode(), JSON


def at(store: FolderStore, sources: PackageSources, when: datetime = NOON) -> Registry:
    return Registry(store, sources, now=lambda: when)


def wheel(filler: int = 0) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr("torch/big", b"x" * filler)
        archive.writestr("torch-2.13.0.dist-info/METADATA", METADATA)
    return raw.getvalue()


def test_releases_are_asked_once_a_day(index: Index, store: FolderStore) -> None:
    index.pages["/simple/torch/"] = page(WHEEL, "torch-2.12.0.tar.gz")
    registry = at(store, index.sources())
    assert [one.version for one in registry.releases("Torch")] == ["2.12.0", "2.13.0"]
    assert registry.release("torch", "2.13") == registry.releases("torch")[1]
    assert registry.release("torch", "2.14") is None
    at(store, index.sources(), NOON + timedelta(hours=23)).releases("torch")
    assert index.paths() == ["/simple/torch/"]
    at(store, index.sources(), NOON + timedelta(hours=25)).releases("torch")
    assert index.paths() == ["/simple/torch/"] * 2


def test_what_nobody_has_is_no_error(index: Index, store: FolderStore) -> None:
    assert at(store, index.sources()).releases("nothing") == ()


def test_an_old_answer_serves_where_the_index_is_out_of_reach(
    index: Index, store: FolderStore
) -> None:
    index.pages["/simple/torch/"] = page(WHEEL)
    at(store, index.sources()).releases("torch")
    index.status["/simple/torch/"] = 503
    later = at(store, index.sources(), NOON + timedelta(days=90))
    assert [one.version for one in later.releases("torch")] == ["2.13.0"]
    (note,) = later.notes
    assert "HTTP status 503" in note
    assert "what it said of torch on 2026-11-22 is used" in note


def test_out_of_reach_with_nothing_kept(index: Index, store: FolderStore) -> None:
    index.status["/simple/torch/"] = index.status["/simple/jax/"] = 500
    registry = at(store, index.sources())
    for name in ("torch", "jax"):
        with pytest.raises(Unavailable, match="HTTP status 500"):
            registry.releases(name)
    assert index.paths() == ["/simple/torch/"], "an index that fails is asked no more"


def test_nobody_listens(store: FolderStore, index: Index) -> None:
    sources = index.sources(HTTP_PROXY="http://127.0.0.1:1")
    with pytest.raises(Unavailable, match="could not be reached") as caught:
        at(store, sources).releases("torch")
    assert "127.0.0.1" not in str(caught.value)


def test_offline_asks_nobody(index: Index, store: FolderStore) -> None:
    with pytest.raises(Unavailable, match="UV_OFFLINE"):
        at(store, index.sources(UV_OFFLINE="1")).releases("torch")
    assert index.paths() == []


def test_refused_credentials_are_said_and_never_shown(index: Index, store: FolderStore) -> None:
    index.status["/simple/torch/"] = 401
    with pytest.raises(Unavailable, match="refused the credentials") as caught:
        at(store, index.sources(user="me:secret")).releases("torch")
    assert "secret" not in str(caught.value)
    assert index.asked[0][1]["Authorization"].startswith("Basic ")


def test_credentials_are_not_kept(index: Index, store: FolderStore) -> None:
    index.pages["/simple/torch/"] = page(WHEEL)
    at(store, index.sources(user="me:hunter2")).releases("torch")
    kept = [path.read_bytes() for path in store.root.rglob("*") if path.is_file()]
    assert kept
    assert not any(b"hunter2" in body for body in kept)


def test_an_answer_that_is_no_page(index: Index, store: FolderStore) -> None:
    index.pages["/simple/torch/"] = (b"<", JSON)
    with pytest.raises(Unavailable, match="did not answer as one does"):
        at(store, index.sources()).releases("torch")


def test_folders_and_local_indexes_count_too_and_are_read_anew(
    index: Index, store: FolderStore, tmp_path: Path
) -> None:
    links, local = tmp_path / "wheels", tmp_path / "local" / "simple"
    links.mkdir()
    (local / "torch").mkdir(parents=True)
    (local / "torch" / "index.html").write_text('<a href="../../files/torch-2.11.0.tar.gz">x</a>')
    (links / "torch-2.14.0+cpu-py3-none-any.whl").write_bytes(b"")
    index.pages["/simple/torch/"] = page(WHEEL)
    sources = index.sources(UV_FIND_LINKS=str(links), UV_INDEX=local.as_uri())

    def versions() -> list[str]:
        return [one.version for one in at(store, sources).releases("torch")]

    assert versions() == ["2.11.0", "2.13.0", "2.14.0+cpu"]
    (links / "torch-2.15.0-py3-none-any.whl").write_bytes(b"")
    assert versions()[-1] == "2.15.0"
    assert index.paths() == ["/simple/torch/"]


def test_metadata_from_beside_the_wheel(index: Index, store: FolderStore) -> None:
    index.pages["/simple/torch/"] = page(WHEEL)
    index.pages[f"/files/{WHEEL}.metadata"] = (METADATA, "text/plain")
    found = at(store, index.sources()).metadata("torch", "2.13.0")
    assert found is not None
    assert found.get("requires_dist") == ["numpy<3"]
    at(store, index.sources()).metadata("torch", "2.13.0")
    assert index.paths().count(f"/files/{WHEEL}.metadata") == 1, "metadata never change"


def test_metadata_out_of_a_part_of_the_wheel(index: Index, store: FolderStore) -> None:
    body = wheel(2_000_000)
    index.pages["/simple/torch/"] = page(WHEEL)
    index.pages[f"/files/{WHEEL}"] = (body, "application/zip")
    found = at(store, index.sources()).metadata("torch", "2.13.0")
    assert found is not None
    assert found.get("requires_dist") == ["numpy<3"]
    parts = [headers["Range"] for path, headers in index.asked if path == f"/files/{WHEEL}"]
    sizes = [int(part.partition("-")[2]) - int(part[6:].partition("-")[0]) + 1 for part in parts]
    assert sum(sizes) < len(body) / 4


def test_metadata_where_the_server_gives_no_parts(index: Index, store: FolderStore) -> None:
    index.ranges = False
    index.pages["/simple/torch/"] = page(WHEEL)
    index.pages[f"/files/{WHEEL}"] = (wheel(), "application/zip")
    assert at(store, index.sources()).metadata("torch", "2.13.0") is None


@pytest.mark.parametrize("body", [b"", b"no zip at all", wheel()[:-30]])
def test_metadata_of_a_damaged_wheel(index: Index, store: FolderStore, body: bytes) -> None:
    index.pages["/simple/torch/"] = page(WHEEL)
    index.pages[f"/files/{WHEEL}"] = (body, "application/zip")
    assert at(store, index.sources()).metadata("torch", "2.13.0") is None


def test_metadata_of_a_wheel_of_this_machine(store: FolderStore, tmp_path: Path) -> None:
    (tmp_path / WHEEL).write_bytes(wheel())
    sources = PackageSources(options=("--no-index",), env={"UV_FIND_LINKS": str(tmp_path)})
    found = at(store, sources).metadata("torch", "2.13.0")
    assert found is not None
    assert found.get("requires_dist") == ["numpy<3"]


def test_half_a_page_is_no_list_of_versions(index: Index) -> None:
    """Of what was cut off, the newest version would be taken for one that does not exist."""
    page = b"".join(b'<a href="x-1.%d.tar.gz">x-1.%d.tar.gz</a>' % (one, one) for one in range(9))
    index.pages["/simple/x/"] = (page, "text/html")
    index.cut.add("/simple/x/")
    place = Place(address=f"{index.address}/simple/")
    with pytest.raises(Unreached, match=f"sent {len(page) // 2} of {len(page)} bytes"):
        Fetcher({}).get(place, f"{index.address}/simple/x/")
    with pytest.raises(Unreached, match="bytes; try again later"):
        Fetcher({}).part(place, f"{index.address}/simple/x/", 0, 100)
    index.cut.clear()
    found = Fetcher({}).get(place, f"{index.address}/simple/x/")
    assert found is not None
    assert found[0] == page
