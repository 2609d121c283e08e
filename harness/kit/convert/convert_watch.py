"""Has a path's driver try all values, whatever they do to its process.

    convert_watch.py COMMAND...

runs the driver once and again until each value was tried: what ends or hangs a process costs that
value alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import harness_kit as kit
from convert_values import read_fixtures

START_LIMIT_S = 110.0
"""Until a driver has begun its first value.

Less than a phase of a cell may take by default, else it would never be the first to act.
"""
VALUE_LIMIT_S = 60.0
"""Between two lines of the results: what takes longer hangs."""
LOOK_S = 0.05
MOST_TEXT = 300


def supervise(command, only=("r", "python"), why_not=""):
    """Have ``command`` try every value, and say what it came to as events ``value``.

    A process that ends or falls silent in the middle of a value is started again for those that
    are left.  Values of a language that is not in ``only`` are not tried, for the reason
    ``why_not``.  Returns the details of the probe.
    """
    fixtures = read_fixtures(os.environ["HARNESS_FILES_OF_CONVERT"])
    results = {}
    for name, one in fixtures.items():
        if one["from"] not in only:
            results[name] = {"there": {"unsupported": why_not}, "ended": True}
    starts = 0
    while True:
        left = [name for name in fixtures if not results.get(name, {}).get("ended")]
        if not left:
            break
        starts += 1
        ending = _start(command, starts, [(fixtures[name]["from"], name) for name in left], results)
        for name in left:
            record = results.get(name)
            if record is not None and "ended" not in record:
                record.setdefault("back" if "got" in record.get("there", {}) else "there", {})
                leg = "back" if "back" in record else "there"
                record[leg]["crash"] = "the process " + ending
                record["ended"] = True
        if all("ended" not in results.get(name, {}) for name in left):
            # Not one value was begun: it would be the same the next time.
            raise RuntimeError("the process %s: %s" % (ending, _last_words(starts)))
    for name in fixtures:
        record = {leg: said for leg, said in results[name].items() if leg != "ended"}
        kit.say("value", probe="convert", name=name, **record)
    return {"starts": starts, "fixtures": len(fixtures)}


def _folder(number):
    return os.path.join(os.environ["HARNESS_CELL"], "convert-%d" % number)


def _last_words(number):
    with open(os.path.join(_folder(number), "output"), "rb") as file:
        text = file.read().decode("utf-8", "replace").strip()
    lines = []
    events = os.path.join(_folder(number), "events.jsonl")
    if os.path.exists(events):
        with open(events, encoding="utf-8") as file:
            for line in file:
                event = json.loads(line)
                if event.get("event") == "probe" and event.get("message"):
                    lines.append(event["message"])
    return " ".join((lines or [text])[-1][-MOST_TEXT:].split())


def _start(command, number, wanted, results):
    """Run the driver for ``wanted``; return how it ended, in words."""
    folder = _folder(number)
    os.makedirs(folder)
    with open(os.environ["HARNESS_REQUEST"], encoding="utf-8") as file:
        asked = dict(json.load(file), probes="convert")
    with open(os.path.join(folder, "request.json"), "w", encoding="utf-8") as file:
        json.dump(asked, file)
    with open(os.path.join(folder, "request.dcf"), "w", encoding="utf-8") as file:
        file.writelines("%s: %s\n" % pair for pair in asked.items() if pair[1])
    listed, lines = os.path.join(folder, "values"), os.path.join(folder, "results.jsonl")
    with open(listed, "w", encoding="utf-8") as file:
        file.writelines("%s %s\n" % pair for pair in wanted)
    environment = dict(
        os.environ,
        HARNESS_CELL=folder,
        HARNESS_REQUEST=os.path.join(folder, "request.json"),
        HARNESS_EVENTS=os.path.join(folder, "events.jsonl"),
        HARNESS_SPAWNED_AT="%.6f" % time.time(),
        HARNESS_CONVERT_LIST=listed,
        HARNESS_CONVERT_RESULTS=lines,
    )
    with open(os.path.join(folder, "output"), "wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )
        ending = _watch(process, lines)
    _end_all(process)
    _read(lines, results)
    return ending


def _watch(process, lines):
    """Wait for the end of a process that may fall silent; return how it ended, in words."""
    size, since = -1, time.monotonic()
    while True:
        try:
            status = process.wait(LOOK_S)
        except subprocess.TimeoutExpired:
            status = None
        if status is not None:
            if status < 0:
                return "was ended by %s" % signal.Signals(-status).name
            return "ended with exit status %d" % status
        now = os.path.getsize(lines) if os.path.exists(lines) else 0
        if now != size:
            size, since = now, time.monotonic()
        limit = VALUE_LIMIT_S if size > 0 else START_LIMIT_S
        if time.monotonic() - since > limit:
            _end_all(process)
            return "fell silent for %d s and was ended" % limit


def _end_all(process):
    """End a process and all that it has started."""
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _read(lines, results):
    """Merge the lines of the results file into ``results``."""
    if not os.path.exists(lines):
        return
    with open(lines, "rb") as file:
        for line in file:
            try:
                said = json.loads(line.decode("utf-8", "replace"))
            except ValueError:
                # Cut short by the end of the process.
                continue
            record = results.setdefault(said.pop("name"), {})
            leg = said.pop("leg")
            if leg == "end":
                record["ended"] = True
            elif leg != "begin":
                record.setdefault(leg, {}).update(said)


if __name__ == "__main__":
    supervise(sys.argv[1:])
