"""The Python half of the path ``rpc``: a server that holds the framework, for one client in R.

Started by ``driver.R``, which writes the token to its standard input and keeps that open: where
it is closed the client is gone, and so goes the server.  Where the server is to be found is in
``rpc-ready.json``, and why it could not start in ``rpc-failed.json``; both are written whole and
are readable by this user alone.

Messages go to and fro in turns.  The client sends ``hello``, ``call`` or ``bye``; the server
answers a call with ``result`` or ``error``, or with ``callback``, a question of its own, which
the client answers with ``answer`` or ``failed`` before the call goes on.
"""

from __future__ import annotations

import os
import sys
import time

sys.path.insert(0, os.environ["HARNESS_KIT"])

import ctypes
import importlib
import json
import signal
import threading
import traceback

import harness_kit as kit
import harness_transfer
import wire

CELL = os.environ["HARNESS_CELL"]
PR_SET_PDEATHSIG = 1
LONGEST_TOKEN = 200


class RError(Exception):
    """An error of R's, in a function that Python called."""


class Function:
    """A function of R's that Python can call, while R waits for the end of a call of its own."""

    def __init__(self, server, name):
        self._server, self._name = server, name

    def __call__(self, *args):
        """Ask R, and return or raise what it answers."""
        return self._server.ask(self._name, args)


class Server:
    """Does what the client calls for."""

    def __init__(self, channel, asked):
        self.channel, self.asked = channel, asked
        self.work = kit.framework(asked["framework"]) if asked.get("framework") else None
        self.place = self.product = self.parts = self.chances = None
        # What a client can call: nothing that is not named here.
        self.functions = {
            "noop": kit.noop,
            "echo": lambda value: kit.echo(wire.plain(value)),
            "raise_error": kit.raise_error,
            "call_back": kit.call_back,
            "keras_call_back": self.keras_call_back,
            "call_failing": kit.call_failing,
            "identity": kit.say_identity_of_python,
            "import_framework": self.import_framework,
            "device": self.device,
            "first_op": self.first_op,
            "operate": self.operate,
            "values": lambda: kit.values_of(self.product),
            "device_of": lambda: self.work.device_of(self.product),
            "take": self.take,
            "hashes": lambda: kit.hashes(self.parts),
            "train": self.train,
            "predictions": lambda: self.chances,
            "convert_take": lambda name, value: kit.convert_module().take(name, opened(value)),
            "convert_give_back": lambda: kit.convert_module().give_back(),
            "convert_make": lambda name: kit.convert_module().make(name),
            "convert_check": lambda name, value: kit.convert_module().check(name, opened(value)),
            "transfer_why_not": harness_transfer.why_not,
            "transfer_hold": lambda kind, values: harness_transfer.hold(kind, as_arrays(values)),
            "transfer_give": give_as_arrays,
            "transfer_hash": harness_transfer.held_hash,
            "transfer_mark": harness_transfer.mark_memory,
            "transfer_grown": harness_transfer.grown_mb,
        }

    def serve(self):
        """Answer until the client says goodbye, or is gone."""
        while True:
            frame = self.channel.receive()
            if frame is None:
                return
            message = wire.unpack(frame, lambda name: Function(self, name))
            kind = message["kind"]
            if kind == "bye":
                self.channel.send(wire.pack({"kind": "result", "value": None}))
                return
            if kind == "hello":
                self.channel.send(wire.pack({"kind": "result", "value": os.getpid()}))
            elif kind == "call":
                self.channel.send(self.answer(message))
            else:
                raise wire.WireError("a message of the kind %r has no place here" % kind)

    def answer(self, message):
        """Return the frame that answers a call."""
        # A list of numbers alone travels as an array.
        name, args = message.get("name"), wire.plain(message.get("args"))
        phase = message.get("phase")
        if isinstance(phase, str) and phase != kit.current_phase():
            kit.phase(phase)
        try:
            value = self.function(name)(*args)
            return wire.pack({"kind": "result", "value": value, "cpu_us": cpu_us()})
        except (Exception, SystemExit) as error:
            return wire.pack({**described(error), "cpu_us": cpu_us()})

    def function(self, name):
        """Return what a client can call by ``name``."""
        if not isinstance(name, str) or name not in self.functions:
            raise wire.WireError("the server has no function %r" % (name,))
        return self.functions[name]

    def ask(self, name, args):
        """Call a function of R's."""
        question = {"kind": "callback", "name": name, "args": list(args)}
        self.channel.send(wire.pack(question))
        frame = self.channel.receive()
        if frame is None:
            raise wire.WireError("R is gone, and owes an answer")
        message = wire.unpack(frame)
        if message["kind"] == "failed":
            raise RError(str(message.get("message")))
        if message["kind"] != "answer":
            raise wire.WireError("a message of the kind %r is no answer" % message["kind"])
        return message.get("value")

    def keras_call_back(self, function, epochs):
        """Have Keras call a function of R's after each epoch."""
        return kit.keras_call_back(function, epochs)

    def import_framework(self):
        """Import the framework."""
        self.work.import_framework()
        kit.say_identity_of_modules()

    def device(self):
        """Return the device, and keep its name."""
        device = self.work.device(self.asked["cuda"])
        self.place = device["actual"]
        kit.say("identity", identity={"device": device})
        return device

    def operate(self):
        """Do the first operation, and keep its result."""
        self.product = self.work.first_op(self.place)

    def first_op(self):
        """Do the first operation; return its values, or show the planted fault."""
        self.operate()
        return kit.planted(self.asked.get("plant", ""), kit.values_of(self.product))

    def take(self, *parts):
        """Take the data."""
        self.parts = [part.numpy() for part in parts]

    def train(self):
        """Train on the data; keep the predictions."""
        details = kit.train(self.asked, self.parts)
        self.chances = kit.to_numpy(details.pop("chances"))
        return details


def opened(value):
    """Return what came over the wire as lists, and arrays of several extents as numpy's."""
    if isinstance(value, dict):
        return {key: opened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [opened(item) for item in value]
    value = wire.plain(value)
    return value.numpy() if isinstance(value, wire.Array) else value


def as_arrays(value):
    """Return what came over the wire with arrays of numpy's in it."""
    if isinstance(value, dict):
        return {key: as_arrays(item) for key, item in value.items()}
    return value.numpy() if isinstance(value, wire.Array) else value


def give_as_arrays(kind):
    """Return what was kept of a kind as the wire takes it: a data frame as its columns."""
    values = harness_transfer.give(kind)
    if kind != "frame":
        return values
    columns = {name: values[name].to_numpy() for name in ("x", "i")}
    columns["s"] = values["s"].tolist()
    return columns


def described(error):
    """Return what the client is to know of an exception, as a message."""
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return {
        "kind": "error",
        "class": type(error).__name__,
        "message": kit.plain(str(error)[: kit.TEXT_LIMIT]),
        "headline": kit.plain(kit.headline(error)[: kit.TEXT_LIMIT]),
        "innermost": kit.plain(kit.headline(kit.innermost(error))[: kit.TEXT_LIMIT]),
        "traceback": kit.plain(text[-kit.TEXT_LIMIT :]),
        "phase": kit.current_phase(),
    }


def cpu_us():
    """Return the processor time of this process so far, of reading and writing as well.

    In whole microseconds, which are cheap to read for R.
    """
    return int(time.process_time() * 1e6)


def leave(name, value):
    """Leave a file for R: whole or not at all, and for this user alone."""
    path = os.path.join(CELL, name)
    descriptor = os.open(path + ".part", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        json.dump(kit.plain(value), file)
    os.replace(path + ".part", path)


def die_with_parent():
    """Have the kernel end this process with R, whatever it is doing then (Linux)."""
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    except (OSError, AttributeError):
        # Elsewhere the end of standard input is what says so.
        return


def read_token():
    """Return the token, the first line of standard input."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte or len(line) > LONGEST_TOKEN:
            raise SystemExit("no token came in on standard input")
        line += byte
    return line.strip().decode("ascii")


def watch_client():
    """End this process when its standard input ends: R holds the other end."""

    def watch():
        while os.read(0, 1024):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main():
    """Start, say where, and serve."""
    die_with_parent()
    token = read_token()
    asked = kit.request()
    try:
        kit.phase("python")
        kit.prepare(asked)
        kit.phase("bridge")
        channel = importlib.import_module("over_" + asked["transport"]).Channel(token)
        server = Server(channel, asked)
        ready = {"pid": os.getpid(), "cpu_s": time.process_time()}
        ready.update(channel.endpoint())
    except BaseException as error:
        leave("rpc-failed.json", described(error))
        raise
    watch_client()
    leave("rpc-ready.json", ready)
    server.serve()
    channel.close()


if __name__ == "__main__":
    main()
