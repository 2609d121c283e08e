"""The layers of a Python that is a process of its own: started by R, or the host of R (rpy2).

What it does is named by its first argument: ``work`` alone, ``serve PORT`` for R that waits
there, ``rpy2`` with R inside.
"""

from __future__ import annotations

import os
import sys
import time
import traceback

sys.path.append(os.environ["HARNESS_DOCTOR"])
sys.path.append(os.environ["HARNESS_KIT"])
import harness_doctor as doctor
import harness_kit as kit


class Layer(object):
    """Says that a layer begins and how it ended; the first that fails ends the process."""

    def __init__(self, name):
        self.name = name
        self.value = None

    def __enter__(self):
        kit.say("layer", name=self.name, state="begin", at=time.time())
        return self

    def __exit__(self, kind, error, trace):
        if error is None:
            kit.say("layer", name=self.name, state="ok", at=time.time(), value=self.value)
            return
        kit.say(
            "layer",
            name=self.name,
            state="failed",
            at=time.time(),
            message=kit.headline(error),
            traceback="".join(traceback.format_exception(kind, error, trace))[-16000:],
        )
        kit.say("libraries", files=doctor.libraries())
        sys.stdout.flush()
        os._exit(20)


def begin():
    with Layer("python"):
        doctor.watch()
    with Layer("identity"):
        kit.say("identity", identity=doctor.identity())


def frameworks(asked, before=lambda: None):
    """Go through the layers from numpy on; ``before`` is done after numpy."""
    installed = doctor.installed(["numpy", *asked["frameworks"].split(",")])
    name = doctor.choose(installed, asked["framework"])
    kit.say("installed", modules=installed, framework=name)
    with Layer("numpy") as layer:
        layer.value = doctor.numpy()
    before()
    if name is None:
        return
    import numpy as np

    with Layer("framework") as layer:
        __import__(name)
        layer.value = doctor.version(name)
        kit.say("facts", facts={"framework.name": name, "framework.version": layer.value})
    with Layer("device"):
        kit.say("device", device=doctor.device(name))
    left = np.array([[1.0, 2.0], [3.0, 4.0]])
    with Layer("op"):
        product = doctor.op(name, left, left)
        if [round(value, 3) for value in product] != [7.0, 10.0, 15.0, 22.0]:
            raise ValueError("a product comes out as %r" % (product,))
    with Layer("train"):
        doctor.train(name, left, np.array([[0.0], [1.0]]))


def serve(asked, port):
    """Connect to R, answer its greeting, and work; return the line to R, which waits there."""
    import socket

    with Layer("connect"):
        line = socket.create_connection(("127.0.0.1", port), timeout=30)
        file = line.makefile("rw", encoding="utf-8", newline="\n")
        greeting = file.readline().strip()
        if greeting != "numbers 0.1 2.5 -3":
            raise ValueError("R's greeting arrives as %r" % (greeting,))
        file.write("sum %r\n" % (0.1 + 2.5 - 3,))
        file.flush()
        line.settimeout(None)
        if file.readline().strip() != "right":
            raise ValueError("the answer does not arrive in R as it was sent")
    frameworks(asked)
    return file


def rpy2(asked):
    """Start R inside this process."""
    with Layer("bridge") as layer:
        from importlib import import_module

        try:
            from importlib.metadata import version

            found = version("rpy2")
        except Exception:
            found = None
        kit.say("facts", facts={"bridge.name": "rpy2", "bridge.version": found})
        import_module("rpy2.rinterface_lib.openrlib")
        layer.value = found
    with Layer("r") as layer:
        import_module("rpy2.robjects")
        robjects = sys.modules["rpy2.robjects"]
        layer.value = str(robjects.r("R.version.string")[0])
        home = str(robjects.r("R.home()")[0])
        numbers = str(robjects.r("paste(R.version$major, R.version$minor, sep = '.')")[0])
        kit.say("facts", facts={"r.version": numbers, "r.home": home, "r.shlib": True})

    def convert():
        with Layer("convert"):
            import numpy as np
            from rpy2.robjects import default_converter, numpy2ri
            from rpy2.robjects.conversion import localconverter

            truth = np.array([[1.0, 2.5], [-3.0, 4.0], [5e300, 6.0]])
            with localconverter(default_converter + numpy2ri.converter):
                robjects.globalenv["harness_doctor"] = truth
                back = np.asarray(robjects.globalenv["harness_doctor"])
            if back.shape != truth.shape or back.tolist() != truth.tolist():
                raise ValueError("a matrix comes back from R as %r" % (back,))

    frameworks(asked, convert)


def main():
    asked = {}
    with open(os.environ["HARNESS_REQUEST"]) as file:
        for line in file:
            name, _, value = line.partition(":")
            asked[name] = value.strip()
    doctor_variables = dict(os.environ)
    if sys.argv[1] == "rpy2":
        kit.say("variables", values=doctor_variables)
    begin()
    line = None
    if sys.argv[1] == "serve":
        line = serve(asked, int(sys.argv[2]))
    elif sys.argv[1] == "rpy2":
        rpy2(asked)
    else:
        frameworks(asked)
    kit.say("libraries", files=doctor.libraries())
    kit.say("finished")
    if line is not None:
        # Last of all: R then looks at what was said.
        line.write("done\n")
        line.flush()
    if sys.argv[1] == "rpy2":
        kit.say("done")


main()
