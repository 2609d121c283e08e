"""The transport ``rserve``: Python holds the framework and calls R, which Rserve serves.

    over_rserve.py CALLED_AT SOCKET

Started by ``over_rserve.R``, with the token on standard input.  pyRserve has no login of its own,
so that the one message for it is sent by hand, with pyRserve's own serializer.
"""

from __future__ import annotations

import sys
import time

ENTERED, CPU = time.time(), time.process_time()

import os  # noqa: E402

sys.path.insert(0, os.environ["HARNESS_KIT"])

import harness_kit as kit  # noqa: E402
import harness_transfer  # noqa: E402
import server  # noqa: E402

# Defined in the R that serves, beside the kit.
R_SIDE = r"""
kit <- new.env()
sys.source(file.path(Sys.getenv("HARNESS_KIT"), "kit.R"), envir = kit)
noop <- function() NULL
echo <- function(value) value
# R asks Python, out of band, while Python waits for R: what comes back is a value or an error.
ask_python <- function(name, ...) {
  reply <- Rserve::self.oobMessage(list(name, ...))
  if (reply[[1L]] == "value") return(reply[[2L]])
  stop(structure(
    list(message = reply[[3L]], call = NULL, traceback = reply[[4L]]),
    class = c(reply[[2L]], "python_error", "error", "condition")
  ))
}
catch_python <- function(text) {
  tryCatch(
    { ask_python("raise_error", text); list(FALSE, NULL, NULL, NULL) },
    error = function(e) list(TRUE, class(e)[[1L]], conditionMessage(e), e$traceback)
  )
}
held <- new.env()
make <- function() {
  held$data <- kit$make_data()
  held$parts <- kit$split_data(held$data)
}
transfer <- new.env()
transfer$kit <- kit
sys.source(file.path(Sys.getenv("HARNESS_KIT"), "transfer.R"), envir = transfer)
take <- transfer$take
light <- function(epoch, loss) epoch
accuracy <- function(chances) mean(max.col(chances) - 1L == as.integer(held$parts$y_test))
"""

CONVERT = """convert <- kit$load_convert()
convert_take <- convert$take; convert_give_back <- convert$give_back
convert_make <- convert$make; convert_check <- convert$check"""

LISTEN = "ears <- kit$listener(); heard <- ears$heard"


class Bridge:
    """A connection to Rserve."""

    def __init__(self):
        self.r = None

    def connect(self, address, token):
        """Log in at ``address``, and define there what the probes call."""
        kit.phase("bridge")
        stage = kit.stages_of("init")
        with stage("client_load"):
            import pyRserve
        with stage("connect"):
            self.r = pyRserve.connect(unix_socket=address, oobCallback=self.heard)
            self.log_in(token)
            self.evaluate(R_SIDE, void=True)
        named = self.evaluate('utils::packageDescription("Rserve", fields = "Version")')
        version = self.evaluate('paste(R.version$major, R.version$minor, sep = ".")')
        identity = {
            "bridge": {"name": "Rserve", "version": named},
            "modules": {"pyRserve": pyRserve.__version__},
            "r": {"version": version, "home": self.evaluate("R.home()")},
        }
        kit.say("identity", identity=identity)
        # Rserve serves each client in a process of its own, which does half of the work.
        kit.count_in(int(self.evaluate("Sys.getpid()")))

    def log_in(self, token):
        """Show the token; a refusal is raised."""
        from pyRserve import rtypes
        from pyRserve.rparser import rparse
        from pyRserve.rserializer import RSerializer

        login = RSerializer(rtypes.CMD_login, fp=self.r.sock)
        login.serialize("r\n" + token, dtTypeCode=rtypes.DT_STRING)
        login.finalize()
        rparse(self.r.sock)

    def evaluate(self, code, *, void=False):
        """Have R evaluate ``code``; an error of R's is raised, and nothing of pyRserve's.

        pyRserve raises it while it handles errors of its own, which would pass for the cause.
        """
        from pyRserve.rexceptions import REvalError

        try:
            return self.r.eval(code, void=void)
        except REvalError as error:
            raise error from None

    def heard(self, message, _code=0):
        """Answer a question of R's.

        Nothing may be raised here: pyRserve would leave R waiting, and take its next request
        for the answer.
        """
        try:
            name, args = message[0], message[1:]
            return ["value", {"raise_error": kit.raise_error}[name](*args)]
        except Exception as error:
            seen = server.described(error)
            return ["error", seen["class"], seen["message"], seen["traceback"]]

    def init(self, asked, address, token):
        """Do the probe ``init``."""
        self.connect(address, token)
        return kit.init(asked) if asked.get("framework") else {}

    def train(self, asked):
        """Train on data that R makes; R computes the accuracy of the predictions."""
        kit.need_framework(asked)
        stage = kit.stages_of("train")
        kit.phase("convert")
        with stage("make_data"):
            self.evaluate("make()", void=True)
        names = ("x_train", "y_train", "x_test", "y_test")
        with stage("transfer"):
            parts = [self.evaluate("held$parts$" + name) for name in names]
        details = kit.train(asked, parts)
        kit.phase("convert")
        chances = kit.to_numpy(details.pop("chances")).astype("float64")
        with stage("collect"):
            details["accuracy"] = float(self.r.r.accuracy(chances))
        arrived = kit.hashes(parts)
        for key, function in (("x", "hash_pixels"), ("y", "hash_labels")):
            made = self.evaluate("kit$%s(held$data$%s)" % (function, key))
            details[key + "_sha"] = {"made": made, "arrived": arrived[key]}
        return details

    def call(self, _asked):
        """Call functions of R."""
        return kit.call_probe(self.r.r.noop, self.r.r.echo)

    def callback(self, asked):
        """Have Python's training tell a function of R."""
        self.evaluate(LISTEN, void=True)

        def calls():
            return [[float(number) for number in call] for call in self.evaluate("ears$calls()")]

        details = kit.callback_probe(kit.call_back, self.r.r.heard, calls, light=self.r.r.light)
        if asked["framework"] == "keras":
            self.evaluate(LISTEN, void=True)
            with kit.Stage("callback", "keras_fit", kit.CALLBACKS):
                kit.keras_call_back(self.r.r.heard, kit.CALLBACKS)
            details["keras_calls"] = calls()
        return details

    def transfer(self, _asked):
        """Have R's values as arrays, and hand arrays to R."""
        return harness_transfer.transfer_probe(Crossing(self))

    def convert(self, _asked):
        """Have R and Python hand each other values, as pyRserve carries them."""
        from pyRserve import rexceptions

        values = kit.convert_module()
        if values.is_child():
            self.evaluate(CONVERT, void=True)
            refused = getattr(rexceptions, "RSerializationError", NotImplementedError)
            values.carry(
                lambda name, *arguments: getattr(self.r.r, "convert_" + name)(*arguments),
                (NotImplementedError, refused),
            )
            return {}
        kit.phase("convert")
        rscript = os.path.join(self.evaluate('R.home("bin")'), "Rscript")
        driver = os.path.join(os.environ["HARNESS_PATH_FILES"], "driver.R")
        with kit.Stage("convert", "values"):
            return values.supervise([rscript, "--no-init-file", driver])

    def error(self, _asked):
        """Send an exception to R, and have an error of R's come to Python."""

        def python_to_r(text):
            raised, kind, message, trace = self.r.r.catch_python(text)
            return {"raised": raised, "class": kind, "message": message, "traceback": trace}

        def r_to_python():
            return kit.call_failing(
                lambda: self.r.eval('stop("%s", call. = FALSE)' % kit.PLANTED_IN_R)
            )

        return kit.error_probe(python_to_r, r_to_python)


class Crossing(harness_transfer.Crossing):
    """Values of R's that pyRserve fetches, and gives back."""

    def __init__(self, bridge):
        super().__init__()
        self.bridge = bridge

    def ask(self, function, *words):
        """Call a function of transfer.R with texts or numbers."""
        arguments = ", ".join(repr(word) for word in words)
        return self.bridge.evaluate("transfer$%s(%s)" % (function, arguments))

    def make(self, kind, n):
        """Have R make the values; return their hash."""
        return self.ask("make", kind, n)

    def to_python(self, kind):
        """Fetch what R made: a data frame as a list of its columns."""
        if kind != "frame":
            return as_values(kind, self.ask("made"))
        columns = self.bridge.evaluate("as.list(transfer$made())")
        return harness_transfer.as_values(kind, {name: columns[name] for name in ("x", "i", "s")})

    def to_r(self, kind, values):
        """Hand values to R; pyRserve knows arrays and lists with names alone."""
        import numpy as np
        from pyRserve import TaggedList

        if kind == "strings":
            values = np.array(values)
        elif kind == "frame":
            columns = ((name, values[name].to_numpy()) for name in ("x", "i"))
            values = TaggedList([*columns, ("s", np.array(values["s"].tolist()))])
        self.bridge.r.r.take(values)

    def hash_of_returned(self, kind):
        """Have R hash what it was handed."""
        return self.ask("hash_of_returned", kind)

    def lies_at(self, _name, _place):
        """Return nothing: two processes have no memory in common."""

    def mark(self):
        """Have R forget its peak of memory."""
        return self.ask("mark_memory")

    def grown(self, mark):
        """Ask R how far its peak rose."""
        return None if mark is None else self.ask("grown_mb", float(mark))


def as_values(kind, got):
    """Return what pyRserve made of a vector: one of a single element is no array."""
    if kind == "strings" and hasattr(got, "tolist"):
        got = got.tolist()
    return harness_transfer.as_values(kind, got)


def main():
    """Do the probes that the request names."""
    server.die_with_parent()
    token = server.read_token()
    server.watch_client()
    called_at, address = float(sys.argv[1]), sys.argv[2]
    wall = max(ENTERED - called_at, 0.0)
    kit.say("stage", probe="init", name="python_start", wall_s=wall, cpu_s=CPU, n=1)
    kit.phase("python")
    asked = kit.request()
    probes = asked["probes"].split(",")
    kit.prepare(asked)
    kit.take_turns(asked)
    with kit.Stage("init", "identity"):
        kit.say_identity_of_python()
    bridge = Bridge()
    ended = kit.attempt("init", lambda: bridge.init(asked, address, token), stderr_so_far)
    if "init" in probes:
        kit.say_probe("init", ended)
    work = {
        "call": bridge.call,
        "callback": bridge.callback,
        "error": bridge.error,
        "convert": bridge.convert,
        "transfer": bridge.transfer,
        "train": bridge.train,
    }
    for probe in probes:
        if probe in work:
            tried = kit.can_be_tried(probe, ended)
            done = attempt(probe, work[probe], asked) if tried else ended
            kit.say_probe(probe, done)
    kit.phase("teardown")
    if bridge.r is not None and not bridge.r.isClosed:
        bridge.r.close()


def attempt(probe, work, asked):
    """Do one probe."""
    return kit.attempt(probe, lambda: work(asked), stderr_so_far)


def stderr_so_far():
    """Return what this process has written to standard error, which R keeps in a file."""
    sys.stderr.flush()
    path = os.path.join(server.CELL, "worker.stderr")
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()[-kit.TEXT_LIMIT :] or None


if __name__ == "__main__":
    main()
