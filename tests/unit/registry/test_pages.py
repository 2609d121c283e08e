"""Pages of an index, in both formats."""

from __future__ import annotations

import json

import pytest

from harness.registry.pages import read_page
from harness.registry.release import File

ADDRESS = "https://index.test/simple/torch/"


def test_json() -> None:
    body = {
        "meta": {"api-version": "1.3"},
        "name": "torch",
        "files": [
            {
                "filename": "torch-2.13.0-cp311-none-any.whl",
                "url": "../../files/torch-2.13.0-cp311-none-any.whl#sha256=0",
                "hashes": {},
                "requires-python": ">=3.10",
                "upload-time": "2026-07-08T10:00:00Z",
                "yanked": "a reason",
                "something-new": 1,
            },
            {"filename": "torch-2.0.tar.gz", "url": "https://files.test/t.tar.gz", "hashes": {}},
        ],
    }
    found = read_page(json.dumps(body).encode(), "application/vnd.pypi.simple.v1+json", ADDRESS)
    assert found == (
        File(
            name="torch-2.13.0-cp311-none-any.whl",
            address="https://index.test/files/torch-2.13.0-cp311-none-any.whl",
            requires_python=">=3.10",
            published="2026-07-08T10:00:00Z",
            yanked=True,
        ),
        File(name="torch-2.0.tar.gz", address="https://files.test/t.tar.gz"),
    )


def test_html() -> None:
    body = b"""<!DOCTYPE html><html><head><base href="/files/"></head><body>
    <a href="torch-2.13.0%2Bcpu-cp311-cp311-linux_x86_64.whl#sha256=0"
       data-requires-python="&gt;=3.10" data-yanked="">any text</a><a>nothing</a></body></html>"""
    (found,) = read_page(body, "text/html; charset=utf-8", ADDRESS)
    assert found.name == "torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl"
    assert found.address.startswith("https://index.test/files/torch-2.13.0%2Bcpu")
    assert (found.requires_python, found.yanked) == (">=3.10", True)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"files": 3}', b'{"files": [{"url": 1}]}', b"\xff"])
def test_what_is_no_page_is_said(body: bytes) -> None:
    with pytest.raises(ValueError, match="no page of a package index"):
        read_page(body, "application/json", ADDRESS)
