"""The control: the probes in Python, with no R and no bridge."""

from __future__ import annotations

import os
import sys
import time

ENTERED, CPU = time.time(), time.process_time()
sys.path.insert(0, os.environ["HARNESS_KIT"])

import harness_kit as kit  # noqa: E402
import harness_transfer  # noqa: E402


def main() -> None:
    """Do the probes that the request names."""
    kit.say_process_start(ENTERED, CPU)
    kit.phase("start")
    asked = kit.request()
    probes = asked["probes"].split(",")
    kit.prepare(asked)
    kit.take_turns(asked)
    kit.phase("python")
    with kit.Stage("init", "identity"):
        kit.say_identity_of_python()
    ended = kit.attempt("init", lambda: kit.init(asked))
    if "init" in probes:
        kit.say_probe("init", ended)
    for probe in probes:
        if probe in WORK:
            tried = kit.can_be_tried(probe, ended)
            kit.say_probe(probe, kit.attempt(probe, lambda: WORK[probe](asked)) if tried else ended)  # noqa: B023
    kit.phase("teardown")
    kit.say("done")


def call(_asked):
    """Call Python from Python: what is left when there is no bridge."""
    return kit.call_probe(lambda: kit.noop(), lambda value: kit.echo(value))  # noqa: PLW0108


def callback(asked):
    """Have a function of Python called back, with Keras from a training as well."""
    keras = asked["framework"] == "keras"
    return kit.callback_probe(kit.call_back, in_keras=kit.keras_call_back if keras else None)


def error(_asked):
    """Catch an exception of Python in Python; there is no other language to send one."""

    def python_to_r(text):
        try:
            kit.raise_error(text)
        except Exception as raised:
            return kit.seen_of_error(raised)
        return {"raised": False, "class": None, "message": None, "traceback": None}

    def r_to_python():
        raise kit.Unsupported("the path native has no R")

    return kit.error_probe(python_to_r, r_to_python)


def train(asked):
    """Make the data and train on them, in the one process that there is."""
    kit.need_framework(asked)
    stage = kit.stages_of("train")
    kit.phase("convert")
    with stage("make_data"):
        x, y = kit.make_data()
    made = {"x": kit.hash_pixels(x), "y": kit.hash_labels(y)}
    with stage("transfer"):
        # Nothing is crossed here: the time is that of taking the parts.
        parts = kit.split(x, y)
    details = kit.train(asked, parts)
    del details["chances"]
    arrived = kit.hashes(parts)
    details["x_sha"] = {"made": made["x"], "arrived": arrived["x"]}
    details["y_sha"] = {"made": made["y"], "arrived": arrived["y"]}
    return details


def transfer(_asked):
    """Copy values in memory: nothing is crossed."""
    return harness_transfer.transfer_probe(harness_transfer.Crossing())


def convert(_asked):
    """Hand each value to a function and take it back; R's values there is no R to make."""
    values = kit.convert_module()
    if values.is_child():
        values.carry(lambda name, *arguments: getattr(values, name)(*arguments))
        return {}
    kit.phase("convert")
    with kit.Stage("convert", "values"):
        command = [sys.executable, os.path.abspath(__file__)]
        return values.supervise(command, only=("python",), why_not="the path native has no R")


WORK = {
    "transfer": transfer,
    "call": call,
    "callback": callback,
    "convert": convert,
    "error": error,
    "train": train,
}


if __name__ == "__main__":
    main()
