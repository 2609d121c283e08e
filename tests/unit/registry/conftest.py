"""An index on this machine, served over HTTP, and a store in a temporary folder."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harness.model.environment import PackageSources
from harness.provision.store import FolderStore

NOTHING_ELSE = {"NETRC": "/dev/null", "UV_CONFIG_FILE": "/dev/null"}
JSON = "application/vnd.pypi.simple.v1+json"


class Index:
    """Pages by path; ``asked`` are the requests that came, with their headers."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[bytes, str]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.status: dict[str, int] = {}
        self.ranges = True
        self.cut: set[str] = set()
        """Paths of which half is sent."""
        handler = type("Handler", (_Handler,), {"index": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def sources(self, user: str = "", **env: str) -> PackageSources:
        address = self.address.replace("//", f"//{user}@" if user else "//") + "/simple"
        return PackageSources(
            env={
                "UV_DEFAULT_INDEX": address,
                "NETRC": "/dev/null",
                "UV_CONFIG_FILE": "/dev/null",
                **env,
            }
        )


class _Handler(BaseHTTPRequestHandler):
    index: Index

    def do_GET(self) -> None:
        index = self.index
        index.asked.append((self.path, dict(self.headers)))
        body, kind = index.pages.get(self.path, (b"", "text/plain"))
        status = index.status.get(self.path, 200 if self.path in index.pages else 404)
        wanted = self.headers.get("Range")
        total = len(body)
        if status == 200 and wanted and index.ranges:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            body, status = body[int(first) : int(last) + 1], 206
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if status == 206:
            self.send_header("Content-Range", f"bytes {wanted[6:]}/{total}")
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if self.path in index.cut else body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def index() -> Iterator[Index]:
    served = Index()
    thread = threading.Thread(target=served.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield served
    served.server.shutdown()
    served.server.server_close()
    thread.join()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FolderStore]:
    with FolderStore(tmp_path / "store") as store:
        yield store
