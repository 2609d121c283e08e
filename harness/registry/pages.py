"""A project's page of a package index: JSON (PEP 691, 700) or HTML (PEP 503, 592).

Pure.  Of the libraries for it, pypi-simple reads neither ``file://`` nor folders, and unearth
takes an index that is out of reach for one that has nothing; ``packaging`` reads the names.
"""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Final
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import msgspec

from harness.registry.release import File

ACCEPT = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, "
    "text/html;q=0.1"
)


class _JsonFile(msgspec.Struct, rename="kebab"):
    filename: str
    url: str
    requires_python: str | None = None
    upload_time: str | None = None
    yanked: bool | str = False


class _JsonPage(msgspec.Struct):
    files: list[_JsonFile]


# Made here, by one thread: where several are the first to decode a type at once, msgspec 0.22
# reads what it has half made, and the process dies.
_JSON_PAGES: Final = msgspec.json.Decoder(_JsonPage)


def read_page(body: bytes, content_type: str, address: str) -> tuple[File, ...]:
    """Return the files that a page lists.

    Parameters
    ----------
    content_type
        As the server names it; what is not JSON is taken for HTML.
    address
        Where the page lies: links may be relative to it.

    Raises
    ------
    ValueError
        If it is no page of an index.
    """
    return _of_json(body, address) if "json" in content_type else _of_html(body, address)


def _of_json(body: bytes, address: str) -> tuple[File, ...]:
    try:
        page = _JSON_PAGES.decode(body)
    except msgspec.DecodeError as error:
        raise ValueError(f"no page of a package index: {error}") from None
    return tuple(
        File(
            name=file.filename,
            address=urldefrag(urljoin(address, file.url)).url,
            requires_python=file.requires_python,
            published=file.upload_time,
            yanked=file.yanked is not False,
        )
        for file in page.files
    )


def _of_html(body: bytes, address: str) -> tuple[File, ...]:
    parser = _Links(address)
    parser.feed(body.decode("utf-8", errors="replace"))
    return tuple(parser.files)


class _Links(HTMLParser):
    def __init__(self, address: str) -> None:
        super().__init__()
        self.base = address
        self.files: list[File] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        link = found.get("href")
        if not link:
            return
        if tag == "base":
            self.base = urljoin(self.base, link)
        elif tag == "a":
            where = urldefrag(urljoin(self.base, link)).url
            self.files.append(
                File(
                    name=unquote(urlsplit(where).path.rsplit("/", 1)[-1]),
                    address=where,
                    requires_python=found.get("data-requires-python"),
                    yanked="data-yanked" in found,
                )
            )
