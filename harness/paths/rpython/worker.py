"""The Python half of the path rpython: ``driver.R`` has rPython load it into ``__main__``."""

# rPython reads this line by line and puts it into a `try` block, each line behind a tab: so no
# `from __future__`, and no text over several lines. A mistake in the syntax would be printed,
# and not told to R: the driver asks for `loaded()` before anything else.

import json
import os
import sys
import traceback

if not hasattr(sys, "argv"):
    # Before 3.8 an embedded Python has none, and absl and others look there.
    sys.argv = [""]
if os.environ["HARNESS_KIT"] not in sys.path:
    sys.path.insert(0, os.environ["HARNESS_KIT"])

import harness_kit as kit
import harness_transfer

ASKED = {}
LAST = {}
DEVICE = {}
OPERATION = []
PARTS = {}


def loaded():
    """Say that this file was read to its end."""
    return True


def remembering(function):
    """Return ``function``, of whose exceptions more is kept than rPython takes to R."""

    def inner(*arguments):
        LAST.clear()
        try:
            return function(*arguments)
        except Exception as error:
            text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
            LAST.update(
                type=type(error).__name__,
                message=str(error),
                headline=kit.sentence(error),
                innermost=kit.headline(kit.innermost(error)),
                traceback=text[-kit.TEXT_LIMIT :],
            )
            raise

    return inner


def last_error():
    """Return what the last call raised, as JSON text; an empty object where it did not."""
    return json.dumps(kit.plain(LAST))


@remembering
def begin():
    """Read the request, and prepare what frameworks read from the environment."""
    ASKED.update(kit.request())
    kit.prepare(ASKED)


@remembering
def identity():
    """Say which Python this is."""
    kit.say_identity_of_python()


@remembering
def identity_of_modules():
    """Say which modules are imported."""
    kit.say_identity_of_modules()


@remembering
def import_framework():
    """Import the framework that the request names."""
    kit.framework(ASKED["framework"]).import_framework()


@remembering
def device():
    """Say which device the framework has; return why it is not the one that is asked for."""
    DEVICE.update(kit.framework(ASKED["framework"]).device(ASKED["cuda"]))
    kit.say("identity", identity={"device": DEVICE})
    return DEVICE["missing"]


@remembering
def first_op(left, right):
    """Multiply two matrices that R sent; the result stays here."""
    work = kit.framework(ASKED["framework"])
    # What the product's factors are is R's to say, and JSON has one kind of number.
    kit.LEFT, kit.RIGHT = [
        [[float(item) for item in row] for row in matrix] for matrix in (left, right)
    ]
    OPERATION[:] = [work.first_op(DEVICE["actual"])]


@remembering
def values():
    """Return the elements of the product, or do the fault that the request plants."""
    return kit.planted(ASKED.get("plant", ""), kit.values_of(OPERATION[0]))


@remembering
def device_of():
    """Return the device of the product."""
    return kit.framework(ASKED["framework"]).device_of(OPERATION[0])


@remembering
def receive(name, pixels):
    """Take integers from R: labels, or pixels of 255 steps, which are divided here."""
    import numpy as np

    whole = np.array(pixels, dtype="<i4")
    PARTS[name] = whole / 255.0 if name.startswith("x") else whole


@remembering
def hashes():
    """Return the hashes of what arrived."""
    return kit.hashes([PARTS[name] for name in ("x_train", "y_train", "x_test", "y_test")])


@remembering
def train():
    """Train on what arrived; the predictions go to R as lists of numbers."""
    parts = [PARTS[name] for name in ("x_train", "y_train", "x_test", "y_test")]
    details = kit.train(ASKED, parts)
    details["chances"] = [[float(item) for item in row] for row in details["chances"]]
    return details


transfer_why_not = remembering(harness_transfer.why_not)
transfer_hold = remembering(harness_transfer.hold)
transfer_give = remembering(harness_transfer.give_plainly)
transfer_hash = remembering(harness_transfer.held_hash)
convert_take = remembering(lambda name, value: kit.convert_module().take(name, value))
convert_give_back = remembering(lambda: kit.convert_module().give_back())
convert_make = remembering(lambda name: kit.convert_module().make(name))
convert_check = remembering(lambda name, value: kit.convert_module().check(name, value))
noop = remembering(kit.noop)
echo = remembering(kit.echo)
raise_error = remembering(kit.raise_error)


@remembering
def without_json():
    """Return what JSON has no form for."""
    return object()
