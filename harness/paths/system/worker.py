"""The Python half of the path ``system``: called by ``driver.R``, answers through files.

    worker.py CALLED_AT PROBES
    worker.py call FUNCTION
    worker.py transfer ACTION KIND
    worker.py convert ACTION NAME

``CALLED_AT`` is R's clock before the call; ``PROBES`` are done in one process, because
importing a framework takes longer than everything else together.  Each result is written as
soon as it is there, so that a crash takes with it only what came after.

The second form calls one function of the kit, with the argument that lies in a file, and leaves
what it returns in another; an exception goes to standard error, where R looks for it.  The third
does a part of the probe ``transfer`` with the values that R left in a file, and the fourth one of
the probe ``convert``.
"""

from __future__ import annotations

import os
import sys
import time

ENTERED, CPU = time.time(), time.process_time()
sys.path.insert(0, os.environ["HARNESS_KIT"])

import json  # noqa: E402

import harness_kit as kit  # noqa: E402

CELL = os.environ["HARNESS_CELL"]


def main() -> None:
    """Do the probes that R names, and leave a result for each."""
    called_at, probes = float(sys.argv[1]), sys.argv[2].split(",")
    wall = max(ENTERED - called_at, 0.0)
    kit.say("stage", probe="init", name="python_start", wall_s=wall, cpu_s=CPU, n=1)
    kit.phase("python")
    asked = kit.request()
    kit.prepare(asked)
    with kit.Stage("init", "identity"):
        kit.say_identity_of_python()
    ended = kit.attempt("init", lambda: kit.init(asked), stderr_so_far)
    if "init" in asked["probes"].split(","):
        # Here, and not by R, which only hears of it when this process has ended: what stops it in
        # the middle of the training is not to be blamed on what went well before.
        kit.say_probe("init", ended)
    leave("init", ended)
    if "train" in probes:
        if ended["status"] == "pass" or ended["phase"] == "op":
            ended = kit.attempt("train", lambda: train(asked), stderr_so_far)
        leave("train", ended)
    kit.phase("teardown")


def call(name):
    """Call one function of the kit; from file to file."""
    function = getattr(kit, name)
    if name == "noop":
        value = function()
    else:
        with open(os.path.join(CELL, "call-argument.json"), encoding="utf-8") as file:
            value = function(json.load(file)["value"])
    write("call-result.json", {"value": value})


def transfer(action, kind):
    """Do ``why_not``, ``read``, ``hash`` or ``give`` for values of a kind."""
    import harness_transfer

    value = None
    if action == "why_not":
        value = harness_transfer.why_not(kind)
    else:
        harness_transfer.hold(kind, read_values(kind))
        if action == "hash":
            value = harness_transfer.held_hash(kind)
        elif action == "give":
            write_values(kind, harness_transfer.give(kind))
    write("call-result.json", {"value": value})


def convert(action, name):
    """Do ``take``, ``make`` or ``check`` for one value."""
    values = kit.convert_module()
    sent, given = (os.path.join(CELL, "convert-" + word) for word in ("sent", "given"))
    if action != "make":
        if os.path.exists(sent + ".bin"):
            value = kit.read_array(sent + ".bin")
        else:
            with open(sent + ".json", encoding="utf-8") as file:
                value = json.load(file)["value"]
        getattr(values, action)(name, value)
    if action != "check":
        value = values.give_back() if action == "take" else values.make(name)
        if len(getattr(value, "shape", ())) > 1 and hasattr(value, "strides"):
            kit.write_array(given + ".bin", value)
        else:
            write("convert-given.json", {"value": value})


def read_values(kind):
    """Read what R sent."""
    path = os.path.join(CELL, "transfer-sent")
    if kind == "frame":
        import pandas as pd

        return pd.read_csv(path)
    if kind == "strings":
        with open(path, encoding="utf-8") as file:
            return file.read().splitlines()
    return kit.read_array(path)


def write_values(kind, values):
    """Write for R what was read."""
    path = os.path.join(CELL, "transfer-given")
    if kind == "frame":
        values.to_csv(path, index=False)
    elif kind == "strings":
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(values) + "\n")
    else:
        kit.write_array(path, values)


def train(asked):
    """Train on the data that R left in files; leave the predictions in one."""
    kit.phase("convert")
    with kit.Stage("train", "receive"):
        names = ("x_train", "y_train", "x_test", "y_test")
        parts = [kit.read_array(os.path.join(CELL, name + ".bin")) for name in names]
    details = kit.train(asked, parts)
    details["arrived"] = kit.hashes(parts)
    kit.write_array(os.path.join(CELL, "chances.bin"), details.pop("chances"))
    return details


def leave(probe, ended):
    """Leave the result of ``probe`` for R."""
    write("result-" + probe + ".json", ended)


def write(name, value):
    """Write a file of JSON for R: whole or not at all."""
    path = os.path.join(CELL, name)
    with open(path + ".part", "w", encoding="ascii") as file:
        json.dump(kit.plain(value), file)
    os.replace(path + ".part", path)


def stderr_so_far():
    """Return what this process has written to standard error, which R keeps in a file."""
    sys.stderr.flush()
    with open(os.path.join(CELL, "worker.stderr"), encoding="utf-8", errors="replace") as file:
        return file.read()[-kit.TEXT_LIMIT :] or None


if __name__ == "__main__":
    if sys.argv[1] == "call":
        call(sys.argv[2])
    elif sys.argv[1] == "transfer":
        transfer(*sys.argv[2:4])
    elif sys.argv[1] == "convert":
        convert(*sys.argv[2:4])
    else:
        main()
