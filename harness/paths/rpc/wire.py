"""Messages of the path ``rpc`` as bytes: a small JSON text and raw arrays, never a pickle.

    HKFRAME1 | length of the text (32 bits, little-endian) | text in ASCII | arrays

The text is one JSON object.  A number with a fraction and every array travels as its own bytes
behind it, in the format HKARRAY1 of the kit, and the text has ``{"$array": 0}`` in its place:
no decimal number is read or written on the way, so none can lose a digit.  A function of R is
``{"$callback": "name"}``.  The same thing for R is in ``wire.R``.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

MAGIC = b"HKFRAME1"
ARRAY_MAGIC = b"HKARRAY1"
LARGEST = 256 * 1024 * 1024
"""Bytes of a whole frame."""
LARGEST_TEXT = 1024 * 1024
"""Bytes of its JSON text."""
LARGEST_OF_A_STRANGER = 4096
"""Bytes of a frame from somebody who has not shown the token yet."""
MOST_EXTENTS = 8
_SIZES = {1: 8, 2: 4}
_CODES = {1: "d", 2: "i"}


class WireError(Exception):
    """What came is no message, or too large a one."""


class Array:
    """An array as it travels: ``kind`` (1 double, 2 integer), extents, values by columns."""

    def __init__(self, kind: int, shape: Sequence[int], data: bytes) -> None:
        self.kind, self.shape, self.data = kind, tuple(shape), data

    def values(self) -> List[Any]:
        """Return the values as a list, by columns."""
        count = len(self.data) // _SIZES[self.kind]
        return list(struct.unpack("<%d%s" % (count, _CODES[self.kind]), self.data))

    def numpy(self) -> Any:
        """Return the array as numpy's, in R's order of memory."""
        import numpy as np

        dtype = {1: "<f8", 2: "<i4"}[self.kind]
        return np.frombuffer(self.data, dtype=dtype).reshape(self.shape, order="F")

    @classmethod
    def of(cls, array: Any) -> Array:
        """Take an array of numpy's: floats that a double holds, integers that R's hold.

        Raises
        ------
        WireError
            It holds something else, or an integer beyond them; R's least 32-bit integer is NA.
        """
        import numpy as np

        values = np.asarray(array)
        kind = values.dtype.kind
        if kind == "f" and values.dtype.itemsize <= 8:
            return cls(1, values.shape, values.astype("<f8").tobytes(order="F"))
        if kind not in "iu":
            raise WireError("an array of %s has no place in a message" % values.dtype)
        if values.dtype.itemsize > 2 and values.size:
            for value in (int(values.min()), int(values.max())):
                if not -(2**31) < value < 2**31:
                    raise WireError("the integer %d in an array is none of R's" % value)
        return cls(2, values.shape, values.astype("<i4").tobytes(order="F"))

    def packed(self) -> bytes:
        """Return the array as bytes that say how long they are."""
        head = struct.pack("<ii", self.kind, len(self.shape))
        return ARRAY_MAGIC + head + struct.pack("<%di" % len(self.shape), *self.shape) + self.data


def pack(message: Dict[str, Any]) -> bytes:
    """Return ``message`` as a frame.

    Takes what JSON has, floats, arrays of numpy's and :class:`Array`.
    """
    arrays = []  # type: List[bytes]
    text = json.dumps(_outgoing(message, arrays)).encode("ascii")
    if len(text) > LARGEST_TEXT:
        raise WireError("a text of %d bytes is too long for a message" % len(text))
    frame = b"".join([MAGIC, struct.pack("<I", len(text)), text, *arrays])
    if len(frame) > LARGEST:
        raise WireError("a frame of %d bytes is larger than the largest" % len(frame))
    return frame


def _outgoing(value: Any, arrays: List[bytes]) -> Any:
    if value is None or isinstance(value, (bool, int, str)):
        return _scalar(value)
    if isinstance(value, float):
        return _attached(Array(1, (), struct.pack("<d", value)), arrays)
    if isinstance(value, Array):
        return _attached(value, arrays)
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return _attached(Array.of(value), arrays)
    if isinstance(value, dict):
        return {_key(key): _outgoing(item, arrays) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        if value and all(isinstance(item, float) for item in value):
            data = struct.pack("<%dd" % len(value), *value)
            return _attached(Array(1, (len(value),), data), arrays)
        return [_outgoing(item, arrays) for item in value]
    raise WireError("a value of type %s has no place in a message" % type(value).__name__)


def _scalar(value: Any) -> Any:
    """Return what JSON has; refuse what R has not."""
    if isinstance(value, str) and "\0" in value:
        raise WireError("a text with a NUL in it is none of R's")
    if isinstance(value, int) and abs(value) > 2**53:
        raise WireError("the integer %d is too large for a double of R" % value)
    return value


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise WireError("a key of type %s has no place in a message" % type(key).__name__)
    return key


def _attached(array: Array, arrays: List[bytes]) -> Dict[str, int]:
    arrays.append(array.packed())
    return {"$array": len(arrays) - 1}


def unpack(frame: bytes, callback: Optional[Callable[[str], Any]] = None) -> Dict[str, Any]:
    """Return the message of a frame, every length of which is checked.

    Numbers come as Python's own, arrays as :class:`Array`; ``callback`` makes what stands for
    a function of R.
    """
    if len(frame) < 12 or frame[:8] != MAGIC:
        raise WireError("this is no frame")
    (size,) = struct.unpack_from("<I", frame, 8)
    if size > LARGEST_TEXT or 12 + size > len(frame):
        raise WireError("the text of a frame is too long or cut short")
    arrays = []  # type: List[Any]
    at = 12 + size
    while at < len(frame):
        array, at = _array(frame, at)
        arrays.append(array)
    try:
        message = json.loads(frame[12 : 12 + size].decode("ascii"), parse_constant=_no_constant)
        message = _incoming(message, arrays, callback)
    except (ValueError, RecursionError) as error:
        raise WireError("the text of a frame is no JSON: %s" % error) from None
    if not isinstance(message, dict) or not isinstance(message.get("kind"), str):
        raise WireError("a message is an object that says its kind")
    return message


def _no_constant(name: str) -> Any:
    raise ValueError(name + " is no JSON")


def _array(frame: bytes, at: int) -> Tuple[Any, int]:
    if frame[at : at + 8] != ARRAY_MAGIC or len(frame) < at + 16:
        raise WireError("there is no array where one should begin")
    kind, rank = struct.unpack_from("<ii", frame, at + 8)
    at += 16
    if kind not in _SIZES or not 0 <= rank <= MOST_EXTENTS or len(frame) < at + 4 * rank:
        raise WireError("an array is of an unknown kind or has too many extents")
    shape = struct.unpack_from("<%di" % rank, frame, at)
    at += 4 * rank
    size = _SIZES[kind]
    for extent in shape:
        if extent < 0:
            raise WireError("an array has a negative extent")
        # Python's integers do not overflow, so that no product can be made to look small.
        size *= extent
    if size > len(frame) - at:
        raise WireError("an array is cut short")
    array = Array(kind, shape, frame[at : at + size])
    return (array.values()[0] if rank == 0 else array), at + size


def _incoming(value: Any, arrays: List[Any], callback: Optional[Callable[[str], Any]]) -> Any:
    if isinstance(value, list):
        return [_incoming(item, arrays, callback) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"$array"}:
        number = value["$array"]
        if not isinstance(number, int) or not 0 <= number < len(arrays):
            raise WireError("a message names an array that it does not bring")
        return arrays[number]
    if set(value) == {"$callback"}:
        if callback is None or not isinstance(value["$callback"], str):
            raise WireError("a function has no place in this message")
        return callback(value["$callback"])
    return {key: _incoming(item, arrays, callback) for key, item in value.items()}


def plain(value: Any) -> Any:
    """Return ``value`` with lists in the place of arrays of one extent."""
    return value.values() if isinstance(value, Array) and len(value.shape) == 1 else value
