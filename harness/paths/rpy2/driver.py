"""rpy2: Python holds R in its own process; data are made in R and trained on in Python."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import sys
import time

ENTERED, CPU = time.time(), time.process_time()
LIBRARIES = os.environ.get("LD_LIBRARY_PATH")
"""Where the loader looks as this process was started: rpy2 puts R's own folders in front."""
sys.path.insert(0, os.environ["HARNESS_KIT"])

import harness_kit as kit  # noqa: E402
import harness_transfer  # noqa: E402

MOST_FAILURES, MOST_CHARACTERS = 20, 500
"""How many failures of the bridge's own tests are told of, and how much of each message."""


class Bridge:
    """The R in this process, and what is known of it; empty until it is started."""

    ri = None
    """``rpy2.rinterface``."""
    kit = None
    """The R half of the kit, an environment of R."""


def main():
    """Do the probes that the request names."""
    kit.say_process_start(ENTERED, CPU)
    kit.phase("start")
    asked = kit.request()
    probes = asked["probes"].split(",")
    kit.prepare(asked)
    kit.take_turns(asked)
    kit.say("identity", identity={"host": "python"})
    kit.phase("python")
    with kit.Stage("init", "identity"):
        kit.say_identity_of_python()
    started = kit.attempt("init", start_r)
    ended = started
    if started["status"] == "pass" and {"init", "train"} & set(probes):
        ended = kit.attempt("init", lambda: init(asked))
    if "init" in probes:
        kit.say_probe("init", ended)
    if "train" in probes:
        # What stopped before the first operation stops training as well, for the same reason.
        if ended["status"] == "pass" or ended["phase"] == "op":
            ended = kit.attempt("train", lambda: train(asked))
        kit.say_probe("train", ended)
    others = {
        "call": call,
        "callback": lambda: callback(asked),
        "error": error,
        "convert": convert,
        "transfer": lambda: harness_transfer.transfer_probe(Crossing()),
        "upstream": upstream,
    }
    for name in probes:
        if name in others:
            ended = started
            if started["status"] == "pass":
                ended = kit.attempt(name, others[name])
                ended["status"] = ended["details"].pop("status", ended["status"])
                ended["message"] = ended["details"].pop("message", ended["message"])
            kit.say_probe(name, ended)
    kit.phase("teardown")
    kit.say("done")


# --- R ----------------------------------------------------------------------------------------


def start_r():
    """Load the bridge and start R; both say who they are."""
    stage = kit.stages_of("init")
    kit.phase("bridge")
    with stage("bridge_load"):
        import rpy2.rinterface as ri
    Bridge.ri = ri
    say_identity_of_bridge()
    with stage("r_start"):
        ri.initr()
    Bridge.kit = evaluated(
        "local({ kit <- new.env(); sys.source(file.path(Sys.getenv('HARNESS_KIT'), 'kit.R'), kit);"
        " kit })"
    )
    Bridge.kit["say_identity_of_r"]()
    kit.say("identity", identity={"r": {"library": library_of_r()}})
    return {}


def evaluated(text):
    """Return the value of R code."""
    return Bridge.ri.baseenv["eval"](Bridge.ri.parse(text), Bridge.ri.globalenv)


def say_identity_of_bridge():
    """Say which rpy2 this is: of what parts, and how it reaches libR."""
    from rpy2.rinterface_lib import openrlib

    versions = installed_versions()
    mode = getattr(openrlib, "cffi_mode", None)
    bridge = {
        "name": "rpy2",
        "version": versions.get("rpy2"),
        "parts": {name: text for name, text in versions.items() if name != "rpy2"},
        # ABI: by the names in libR at run time; API: by a module that was compiled against it.
        "mode": getattr(mode, "name", None) or os.environ.get("RPY2_CFFI_MODE"),
    }
    kit.say("identity", identity={"bridge": bridge})


def installed_versions():
    """Return the versions of rpy2 and its parts by their own metadata: not all have another."""
    try:
        from importlib.metadata import PackageNotFoundError, version
    except ImportError:  # Python 3.7
        import rpy2

        return {"rpy2": getattr(rpy2, "__version__", None)}
    found = {}
    for name in ("rpy2", "rpy2-rinterface", "rpy2-robjects"):
        # Before 3.6 it was one package.
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def library_of_r():
    """Return the libR in this process's memory map; ``None`` for a static one."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
            for line in file:
                path = line.rstrip("\n").split(None, 5)[-1]
                if os.path.basename(path) == "libR.so":
                    return os.path.realpath(path)
    except OSError:
        return None
    return None


def to_r(value):
    """Return a plain value of Python as a vector of R."""
    ri = Bridge.ri
    if value is None:
        return ri.NULL
    values = value if isinstance(value, list) else [value]
    # bool first: it is an int as well.
    for kind, vector in ((bool, "Bool"), (int, "Int"), (float, "Float"), (str, "Str")):
        if isinstance(values[0], kind):
            return getattr(ri, vector + "SexpVector")(values)
    raise TypeError("no vector of R is made of a " + type(values[0]).__name__)


def from_r(vector):
    """Return a vector of R as a plain value, or as a list where it has not one element."""
    if vector == Bridge.ri.NULL:
        return None
    values = list(vector)
    return values[0] if len(values) == 1 else values


def named(vector):
    """Return a list of R with names as a dictionary of plain values."""
    return {name: from_r(value) for name, value in zip(vector.names, vector)}


def as_r_function(function):
    """Return an R function that calls a function of Python."""
    try:
        return Bridge.ri.rternalize(function, signature=False)
    except TypeError:  # before 3.5
        return Bridge.ri.rternalize(function)


# --- Probes -----------------------------------------------------------------------------------


def init(asked):
    """Do the probe ``init``; the values of the first operation go through R."""
    details = kit.init(asked)
    if "values" in details:
        back = from_r(evaluated("function(values) values")(to_r(details["values"])))
        details["values"] = back
    return details


def train(asked):
    """Make the data in R, carry them over, and train on them."""
    stage = kit.stages_of("train")
    kit.phase("convert")
    with stage("make_data"):
        data = Bridge.kit["make_data"]()
        parts = Bridge.kit["split_data"](data)
    x, y = data
    made = {
        "x": from_r(Bridge.kit["hash_pixels"](x)),
        "y": from_r(Bridge.kit["hash_labels"](y)),
    }
    with stage("converter_load"):
        from rpy2 import robjects
        from rpy2.robjects import numpy2ri
        from rpy2.robjects.conversion import localconverter
    # Only here: to activate it for all of Python is deprecated, and changes other results.
    rules = robjects.default_converter + numpy2ri.converter
    with stage("transfer"), localconverter(rules) as converter:
        arrays = [converter.rpy2py(part) for part in parts]
    arrived = kit.hashes(arrays)
    details = kit.train(asked, arrays)
    del details["chances"]
    details["x_sha"] = {"made": made["x"], "arrived": arrived["x"]}
    details["y_sha"] = {"made": made["y"], "arrived": arrived["y"]}
    return details


def call():
    """Do the probe ``call``: the smallest calls from Python into R."""
    noop, echo = evaluated("function() NULL"), evaluated("function(value) value")
    return kit.call_probe(noop=lambda: from_r(noop()), echo=lambda value: from_r(echo(to_r(value))))


def callback(asked):
    """Do the probe ``callback`` the other way round: R calls a function of Python.

    With Keras, a callback of the training goes into R at the end of each epoch, and R on into
    the function of Python.
    """
    train_in_r = evaluated(
        "function(heard, epochs) sum(vapply(seq_len(epochs) - 1L, function(epoch) {"
        " as.double(heard(epoch, 1 / (epoch + 1L))) }, 0))"
    )

    through_r = evaluated("function(heard, epoch, loss) heard(epoch, loss)")

    def of_r(heard):
        return as_r_function(lambda epoch, loss: to_r(heard(from_r(epoch), from_r(loss))))

    def called(heard, epochs):
        return from_r(train_in_r(of_r(heard), to_r(epochs)))

    def in_keras(heard, epochs):
        heard = of_r(heard)
        kit.keras_call_back(
            lambda epoch, loss: from_r(through_r(heard, to_r(epoch), to_r(float(loss)))), epochs
        )

    return kit.callback_probe(called, in_keras=in_keras if asked["framework"] == "keras" else None)


class Crossing(harness_transfer.Crossing):
    """Values of R's, by the converters for numpy and pandas that come with rpy2.

    They are used one by one: a converter that is set for all of Python is deprecated.
    """

    def __init__(self):
        super().__init__()
        code = (
            "local({ transfer <- new.env(); transfer$kit <- kit; sys.source(file.path("
            "Sys.getenv('HARNESS_KIT'), 'transfer.R'), transfer); transfer })"
        )
        Bridge.ri.globalenv["kit"] = Bridge.kit
        self.r = evaluated(code)
        self.rules = {}

    def converter(self, kind):
        """Return the converter for a kind."""
        if kind not in self.rules:
            from rpy2 import robjects

            if kind == "frame":
                from rpy2.robjects import pandas2ri as rules
            else:
                from rpy2.robjects import numpy2ri as rules
            self.rules[kind] = robjects.default_converter + rules.converter
        return self.rules[kind]

    def make(self, kind, n):
        """Have R make the values; return their hash."""
        return from_r(self.r["make"](to_r(kind), to_r(n)))

    def to_python(self, kind):
        """Return what R made."""
        values = self.r["made"]()
        if kind == "strings":
            return list(values)
        from rpy2.robjects.conversion import localconverter

        with localconverter(self.converter(kind)) as converter:
            return converter.rpy2py(values)

    def to_r(self, kind, values):
        """Hand values to R."""
        if kind == "strings":
            self.r["take"](Bridge.ri.StrSexpVector(values))
            return
        from rpy2.robjects.conversion import localconverter

        with localconverter(self.converter(kind)) as converter:
            self.r["take"](converter.py2rpy(values))

    def hash_of_returned(self, kind):
        """Have R hash what it was handed."""
        return from_r(self.r["hash_of_returned"](to_r(kind)))

    def lies_at(self, name, place):
        """Ask R, which knows where its vectors lie."""
        return from_r(self.r["lies_at"](to_r(name), to_r(place)))


def convert():
    """Do the probe ``convert``, by the converters for numpy and pandas that come with rpy2."""
    values = kit.convert_module()
    if values.is_child():
        values.carry(asking_r(), (NotImplementedError,))
        return {}
    kit.phase("convert")
    with kit.Stage("convert", "values"), libraries_of_caller():
        return values.supervise([sys.executable, os.path.abspath(__file__)])


@contextlib.contextmanager
def libraries_of_caller():
    """Have a child look for its libraries where this process did as it was started.

    Among R's folders may lie a libpython of this Python's minor version, and a child that loads
    it is another Python than it was built as.
    """
    changed = os.environ.get("LD_LIBRARY_PATH")
    set_libraries(LIBRARIES)
    try:
        yield
    finally:
        set_libraries(changed)


def set_libraries(folders):
    """Say where the loader of a child looks; ``None`` for nowhere of one's own."""
    if folders is None:
        os.environ.pop("LD_LIBRARY_PATH", None)
    else:
        os.environ["LD_LIBRARY_PATH"] = folders


def asking_r():
    """Return a function that calls one of ``convert.R``, as a user calls a function of R."""
    from rpy2 import robjects
    from rpy2.robjects.conversion import localconverter

    rules = robjects.default_converter
    for package, name in (("numpy", "numpy2ri"), ("pandas", "pandas2ri")):
        # Who has no pandas has no use for its converter either, and it cannot be imported.
        if importlib.util.find_spec(package) is not None:
            rules += importlib.import_module("rpy2.robjects." + name).converter
    Bridge.ri.globalenv["kit"] = Bridge.kit
    evaluated("convert <- kit$load_convert()")
    functions = {
        name: robjects.r("convert$" + name) for name in ("take", "give_back", "make", "check")
    }

    def ask(name, *arguments):
        with localconverter(rules):
            return functions[name](*arguments)

    return ask


def error():
    """Do the probe ``error``: Python's exception on its way into R, and R's into Python."""
    catch = evaluated(
        "function(raises) tryCatch({ raises(); list(raised = FALSE) }, error = function(e)"
        " list(raised = TRUE, class = class(e)[[1L]], message = conditionMessage(e)))"
    )
    fails = evaluated('function() stop("' + kit.PLANTED_IN_R + '", call. = FALSE)')

    def python_to_r(text):
        raises = as_r_function(lambda: kit.raise_error(text))
        with Log() as log:
            seen = {"class": None, "message": None, "traceback": None}
            seen.update(named(catch(raises)))
        if log.lines:
            # What rpy2 writes to Python's log is nothing that R code could act upon.
            seen["logged"] = log.lines[-1]
        return seen

    with Log():
        return kit.error_probe(python_to_r, lambda: kit.call_failing(fails))


class Log:
    """What rpy2 writes to its log meanwhile, instead of to standard error."""

    def __enter__(self):
        import logging

        self.lines = []
        self.handler = logging.Handler()
        self.handler.emit = lambda record: self.lines.append(record.getMessage())
        self.logger = logging.getLogger("rpy2")
        self.propagates = self.logger.propagate
        self.logger.propagate = False
        self.logger.addHandler(self.handler)
        return self

    def __exit__(self, kind, value, trace):
        self.logger.propagate = self.propagates
        self.logger.removeHandler(self.handler)


def upstream():
    """Do the probe ``upstream``: rpy2's own tests, in a process of their own."""
    import importlib.util

    kit.phase("op")
    # Until 3.5 all tests lay in one folder.
    packages = ("rpy2.rinterface.tests", "rpy2.tests.rinterface")
    package = next((name for name in packages if found(importlib.util.find_spec, name)), None)
    if package is None:
        raise kit.Unavailable("the installed rpy2 has no tests with it")
    versions = installed_versions()
    part = "rpy2-rinterface" if "rpy2-rinterface" in versions else "rpy2"
    source = {"source": package + " as installed with " + part, "version": versions[part]}
    with kit.Stage("upstream", "tests"):
        details = run_pytest(package)
    details.update(source)
    return details


def found(find, name):
    """Say whether there is a module of this name."""
    try:
        return find(name) is not None
    except ImportError:
        return False


def run_pytest(package):
    """Run a package's tests; return the counts, or why there are none."""
    import subprocess

    folder = os.environ["HARNESS_CELL"]
    report, output = os.path.join(folder, "upstream.xml"), os.path.join(folder, "upstream.txt")
    command = [sys.executable, "-X", "faulthandler", "-m", "pytest", "--pyargs", package]
    command += ["--junitxml=" + report, "-v", "-p", "no:cacheprovider", "--rootdir=" + folder]
    # rpy2 3.6 has no __init__.py, so that pytest would import `rinterface` beside
    # `rpy2.rinterface`: two bridges in one process, and 32 failures of nobody's making.
    command += ["-o", "consider_namespace_packages=true"]
    with open(output, "wb") as file, libraries_of_caller():
        code = subprocess.call(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, cwd=folder
        )
    with open(output, encoding="utf-8", errors="replace") as file:
        text = file.read()
    # A test can write anything; the whole goes to standard error, where it is kept.
    sys.stderr.write(text)
    sys.stderr.flush()
    if code < 0:
        import signal

        # The line of the test that was under way has no outcome yet.
        begun = [line.split(" ")[0] for line in text.splitlines() if "::" in line]
        where = " in " + begun[-1] if begun else ""
        message = "pytest was ended by %s%s" % (signal.Signals(-code).name, where)
        return {"status": "crash", "message": message}
    if not os.path.exists(report):
        raise RuntimeError("pytest ended with %d and no report: %s" % (code, text[-2000:]))
    return counts(report)


def counts(report):
    """Return the counts of a report in the format of JUnit, and the first failures."""
    import xml.etree.ElementTree as ET

    found = {"total": 0, "passed": 0, "failed": 0, "skipped": 0, "errors": 0, "failures": []}
    outcomes = {"failure": "failed", "error": "errors", "skipped": "skipped"}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314
        found["total"] += 1
        # An error while tearing down comes beside what the test itself came to.
        worst = next((child for tag in outcomes for child in case if child.tag == tag), None)
        outcome = "passed" if worst is None else outcomes[worst.tag]
        found[outcome] += 1
        if outcome in ("failed", "errors") and len(found["failures"]) < MOST_FAILURES:
            message = worst.get("message") or (worst.text or "").strip()
            name = (case.get("classname") or "") + "::" + (case.get("name") or "")
            found["failures"].append({"name": name, "message": message[:MOST_CHARACTERS]})
    return found


if __name__ == "__main__":
    main()
