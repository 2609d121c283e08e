"""The transport ``socket``: frames with their length in front, over TCP on loopback."""

from __future__ import annotations

import hmac
import socket
import struct
from typing import Any, Dict, Optional

import wire

PATIENCE_S = 5.0
"""Within which whoever connects must have shown the token."""


class Channel:
    """One peer that has shown the token; strangers are refused before it and after it."""

    def __init__(self, token: str) -> None:
        self._token = token.encode("ascii")
        self._peer = None  # type: Optional[socket.socket]
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        # Port 0: the system chooses one that is free, and nobody can take it in between.
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(8)

    def endpoint(self) -> Dict[str, Any]:
        """Return where the server is to be found."""
        return {"port": self._listener.getsockname()[1], "server": "socket of Python's library"}

    def receive(self) -> Optional[bytes]:
        """Return the next frame; ``None`` where the peer has closed the connection."""
        if self._peer is None:
            return self._welcome()
        return _read_frame(self._peer, wire.LARGEST)

    def send(self, frame: bytes) -> None:
        """Send a frame to the peer."""
        if self._peer is None:
            raise wire.WireError("nobody is there to send to")
        self._peer.sendall(struct.pack("<I", len(frame)) + frame)

    def close(self) -> None:
        """Close the connection."""
        for end in (self._peer, self._listener):
            if end is not None:
                end.close()

    def _welcome(self) -> bytes:
        """Wait for somebody with the token; refuse everybody else."""
        while True:
            peer, _ = self._listener.accept()
            try:
                peer.settimeout(PATIENCE_S)
                frame = _read_frame(peer, wire.LARGEST_OF_A_STRANGER)
                token = "" if frame is None else wire.unpack(frame).get("token")
                known = isinstance(token, str) and hmac.compare_digest(
                    token.encode("utf-8"), self._token
                )
            except (OSError, wire.WireError):
                known = False
            if known and frame is not None:
                peer.settimeout(None)
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._peer = peer
                # Nobody else is expected: from now on no port is open at all.
                self._listener.close()
                return frame
            peer.close()


def _read_frame(peer: socket.socket, largest: int) -> Optional[bytes]:
    head = _read(peer, 4)
    if head is None:
        return None
    (size,) = struct.unpack("<I", head)
    if size > largest:
        raise wire.WireError("a frame of %d bytes is announced, more than %d" % (size, largest))
    frame = _read(peer, size)
    if frame is None:
        raise wire.WireError("the peer closed the connection in the middle of a frame")
    return frame


def _read(peer: socket.socket, size: int) -> Optional[bytes]:
    """Read exactly ``size`` bytes; ``None`` where there are none."""
    data = bytearray()
    while len(data) < size:
        part = peer.recv(min(size - len(data), 1 << 20))
        if not part:
            if data:
                raise wire.WireError("the peer closed the connection in the middle of a frame")
            return None
        data += part
    return bytes(data)
