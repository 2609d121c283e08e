"""The control: the probes in Python, with no R and no bridge."""

from __future__ import annotations

import os
import sys
import time

ENTERED, CPU = time.time(), time.process_time()
sys.path.insert(0, os.environ["HARNESS_KIT"])

import harness_kit as kit  # noqa: E402


def main() -> None:
    """Do the probes that the request names."""
    kit.say_process_start(ENTERED, CPU)
    kit.phase("start")
    asked = kit.request()
    probes = asked["probes"].split(",")
    kit.prepare(asked)
    kit.phase("python")
    with kit.Stage("init", "identity"):
        kit.say_identity_of_python()
    ended = kit.attempt("init", lambda: kit.init(asked))
    if "init" in probes:
        kit.say_probe("init", ended)
    if "train" in probes:
        if ended["status"] == "pass" or ended["phase"] == "op":
            ended = kit.attempt("train", lambda: train(asked))
        kit.say_probe("train", ended)
    kit.phase("teardown")
    kit.say("done")


def train(asked):
    """Make the data and train on them, in the one process that there is."""
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


if __name__ == "__main__":
    main()
