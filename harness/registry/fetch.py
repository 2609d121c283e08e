"""One request to an index, over the machine's own proxy and certificates."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from typing import Final
from urllib.parse import urlsplit

from harness.errors import Unavailable
from harness.registry.places import Place

PATIENCE_S: Final = 30.0
_MOST_BYTES: Final = 100_000_000
_GONE: Final = frozenset({404, 410})
_REFUSED: Final = frozenset({401, 403, 407})


class Unreached(Unavailable):
    """An index could not be reached, so that nothing can be said of what there is."""


class Fetcher:
    """Fetches from indexes.

    Parameters
    ----------
    env
        ``PackageSources.env``: proxies, certificates and time limits, in uv's words.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._patience_s = _limit(env.get("UV_HTTP_TIMEOUT"))

    def get(self, place: Place, address: str, accept: str = "*/*") -> tuple[bytes, str, str] | None:
        """Return body, content type and final address; ``None`` where nothing is there.

        The credentials of ``place`` go with the request where ``address`` is on its host, and
        on to no other.

        Raises
        ------
        Unreached
            If it cannot be reached, or it does not answer as an index does.
        Unavailable
            If it wants other credentials.
        """
        with self._open(place, address, {"Accept": accept}) as answer:
            if answer is None:
                return None
            body = _whole(answer, _MOST_BYTES)
            return body, answer.headers.get("Content-Type", ""), answer.url

    def part(self, place: Place, address: str, start: int, length: int) -> tuple[bytes, int] | None:
        """Return ``length`` bytes of a file from ``start``, and the size of the whole in bytes.

        ``None`` where the file is not there or the server gives whole files only.  Raises as
        :meth:`get`.
        """
        headers = {"Range": f"bytes={start}-{start + length - 1}", "Accept-Encoding": "identity"}
        with self._open(place, address, headers) as answer:
            if answer is None or answer.status != HTTPStatus.PARTIAL_CONTENT:
                return None
            size = answer.headers.get("Content-Range", "").rpartition("/")[2]
            return (_whole(answer, length), int(size)) if size.isdigit() else None

    @contextmanager
    def _open(
        self, place: Place, address: str, headers: dict[str, str]
    ) -> Iterator[HTTPResponse | None]:
        if self._env.get("UV_OFFLINE", "").lower() in {"1", "true", "yes", "on"}:
            raise Unreached("UV_OFFLINE says not to ask the package index")
        request = urllib.request.Request(address, headers=headers)  # noqa: S310
        mine = urlsplit(address).netloc == urlsplit(place.address).netloc
        if place.authorization is not None and mine:
            request.add_unredirected_header("Authorization", place.authorization)
        try:
            with self._opener(address).open(request, timeout=self._patience_s) as answer:
                yield answer
                return
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in _REFUSED:
                raise Unavailable(
                    "the package index refused the credentials that this machine has for it; "
                    "check the settings of pip or uv"
                ) from None
            if error.code not in _GONE:
                raise Unreached(
                    f"the package index answered with the HTTP status {error.code}; try again later"
                ) from None
        # ValueError: an address that is none.  The addresses themselves are never shown: they
        # may be nobody else's business.
        except (OSError, HTTPException, ValueError) as error:
            raise Unreached(
                f"the package index could not be reached ({_reason(error)}); check the network, or "
                "name a mirror in pip's or uv's settings"
            ) from None
        yield None

    def _opener(self, address: str) -> urllib.request.OpenerDirector:
        return urllib.request.build_opener(
            urllib.request.ProxyHandler(self._proxies(address)),
            urllib.request.HTTPSHandler(context=self._tls(address)),
        )

    def _proxies(self, address: str) -> dict[str, str]:
        host = (urlsplit(address).hostname or "").lower()
        exempt = self._env.get("NO_PROXY") or self._env.get("no_proxy") or ""
        if any(_is_below(host, part.strip().lower()) for part in exempt.split(",")):
            return {}
        found = {}
        for scheme in ("http", "https"):
            names = (f"{scheme}_proxy", f"{scheme.upper()}_PROXY", "all_proxy", "ALL_PROXY")
            proxy = next((self._env[name] for name in names if self._env.get(name)), None)
            if proxy is not None:
                found[scheme] = proxy
        return found

    def _tls(self, address: str) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._env.get("SSL_CERT_FILE") or None)
        if client := self._env.get("SSL_CLIENT_CERT"):
            context.load_cert_chain(client)
        parts = urlsplit(address)
        if {parts.hostname, parts.netloc.rpartition("@")[2]} & set(
            self._env.get("UV_INSECURE_HOST", "").split()
        ):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _whole(answer: HTTPResponse, most: int) -> bytes:
    """Return what an index answers, all of it: of half a list, no version is the newest."""
    body = answer.read(most)
    # Asked for so many bytes, Python does not mind a connection that ends before them.
    if answer.length and len(body) < most:
        raise Unreached(
            f"the package index sent {len(body):,} of {len(body) + answer.length:,} bytes; try "
            "again later"
        )
    return body


def _limit(text: str | None) -> float:
    return float(text) if text and text.isdigit() and int(text) else PATIENCE_S


def _is_below(host: str, exempt: str) -> bool:
    exempt = exempt.lstrip(".").partition(":")[0]
    return exempt == "*" or (bool(exempt) and (host == exempt or host.endswith(f".{exempt}")))


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    text = getattr(reason, "strerror", None) or type(reason).__name__
    return " ".join(str(text).split()).lower()
