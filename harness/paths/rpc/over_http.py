"""The transport ``http``: one address that takes a frame and returns one, on loopback.

The web server runs in a thread of its own; the framework's work is done in the main one, where
frameworks expect to be.  A function of R is called back by answering a request with a question,
whose answer comes with the next request.
"""

from __future__ import annotations

import asyncio
import hmac
import queue
import socket
import threading
import time
from typing import Any, Dict, Optional

import starlette
import uvicorn
import wire
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

START_S = 30.0
BINARY = "application/octet-stream"


class Channel:
    """A web server for one client that knows the token."""

    def __init__(self, token: str) -> None:
        self._token = b"Bearer " + token.encode("ascii")
        # Each request, with the loop that waits for its answer and where that goes.
        self._inbox = queue.Queue()  # type: Any
        self._asker = None  # type: Any
        # With the protocol named asyncio switches Nagle's algorithm off, and else not: an answer
        # would wait 40 ms between its head and its body.
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._listener.bind(("127.0.0.1", 0))
        routes = [Route("/call", self._call, methods=["POST"])]
        config = uvicorn.Config(
            Starlette(routes=routes),
            log_level="warning",
            access_log=False,
            lifespan="off",
            loop="asyncio",
            http="h11",
            ws="none",
            # The client keeps its connection while it thinks.
            timeout_keep_alive=3600,
        )
        self._server = uvicorn.Server(config)
        sockets = [self._listener]
        self._thread = threading.Thread(target=self._server.run, args=(sockets,), daemon=True)
        self._thread.start()
        deadline = time.monotonic() + START_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("uvicorn did not start")
            time.sleep(0.005)

    def endpoint(self) -> Dict[str, Any]:
        """Return where the server is to be found."""
        server = "starlette %s, uvicorn %s" % (starlette.__version__, uvicorn.__version__)
        return {"port": self._listener.getsockname()[1], "server": server}

    def receive(self) -> Optional[bytes]:
        """Return the next frame that a client with the token sent."""
        frame, loop, answer = self._inbox.get()
        self._asker = (loop, answer)
        return frame

    def send(self, frame: bytes) -> None:
        """Answer the request that is open."""
        if self._asker is None:
            raise wire.WireError("nobody is there to send to")
        loop, answer = self._asker
        self._asker = None
        loop.call_soon_threadsafe(_answer, answer, frame)

    def close(self) -> None:
        """End the web server, once it has answered."""
        self._server.should_exit = True
        self._thread.join(5.0)

    async def _call(self, request: Request) -> Response:
        shown = request.headers.get("authorization", "").encode("utf-8")
        if not hmac.compare_digest(shown, self._token):
            return Response("no token\n", status_code=401, headers={"connection": "close"})
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > wire.LARGEST:
                return Response("too large\n", status_code=413, headers={"connection": "close"})
        loop = asyncio.get_event_loop()
        answer = loop.create_future()
        self._inbox.put((bytes(body), loop, answer))
        return Response(await answer, media_type=BINARY)


def _answer(answer: Any, frame: bytes) -> None:
    # The client may have gone away while its question was worked on.
    if not answer.done():
        answer.set_result(frame)
