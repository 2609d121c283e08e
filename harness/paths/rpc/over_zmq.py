"""The transport ``zmq``: ZeroMQ's request and reply, over a Unix socket in the cell's folder.

ZeroMQ itself asks for the token, by its PLAIN mechanism and ZAP: a peer without it is refused in
the handshake, and no message of its reaches the server.
"""

from __future__ import annotations

import hmac
import os
import threading
from typing import Any, Dict, Optional

import wire
import zmq

USER = b"r"
SOCKET = "rpc-server.sock"
"""Relative to the cell's folder, where both processes run: a path to a socket must be short."""
POLL_MS = 1000
LINGER_MS = 2000


class Channel:
    """A socket that answers, and the authority that it asks about strangers."""

    def __init__(self, token: str) -> None:
        self._token = token.encode("ascii")
        self._context = zmq.Context()
        # Before the socket that asks it: without an authority libzmq lets everybody in.
        self._authority = self._context.socket(zmq.REP)
        self._authority.linger = 0
        self._authority.bind("inproc://zeromq.zap.01")
        threading.Thread(target=self._judge, daemon=True).start()
        self._socket = self._context.socket(zmq.REP)
        self._socket.plain_server = True
        self._socket.zap_domain = b"rpc"
        self._socket.maxmsgsize = wire.LARGEST
        self._socket.linger = LINGER_MS
        before = os.umask(0o177)
        try:
            self._socket.bind("ipc://" + SOCKET)
        finally:
            os.umask(before)

    def endpoint(self) -> Dict[str, Any]:
        """Return where the server is to be found."""
        server = "pyzmq %s, libzmq %s" % (zmq.__version__, zmq.zmq_version())
        return {"address": "ipc://" + SOCKET, "server": server}

    def receive(self) -> Optional[bytes]:
        """Return the next frame."""
        # In slices: a wait without end would keep signals from being handled.
        while not self._socket.poll(POLL_MS):
            pass
        return self._socket.recv()  # type: ignore[no-any-return]

    def send(self, frame: bytes) -> None:
        """Send a frame to the peer."""
        self._socket.send(frame)

    def close(self) -> None:
        """Close the sockets; what was sent is delivered first."""
        self._socket.close()

    def _judge(self) -> None:
        """Answer libzmq's questions about who connects (ZeroMQ RFC 27)."""
        while True:
            try:
                asked = self._authority.recv_multipart()
            except zmq.ZMQError:
                return
            version, number = asked[:2]
            mechanism, credentials = asked[5], asked[6:]
            known = (
                mechanism == b"PLAIN"
                and len(credentials) == 2
                and credentials[0] == USER
                and hmac.compare_digest(credentials[1], self._token)
            )
            code, text = (b"200", b"OK") if known else (b"400", b"no token")
            self._authority.send_multipart([version, number, code, text, b"", b""])
