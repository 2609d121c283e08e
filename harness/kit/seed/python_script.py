"""The script that the article's third example calls: train, and leave the results in files.

The same results in each format that R may read: the weights of the first layer, and a few values
that are hard to carry.  What writing each took goes into ``written.json``.
"""

from __future__ import annotations

import csv
import json
import math
import os
import pickle
import sys
import time
from typing import Any, Callable

sys.path.insert(0, os.environ["HARNESS_KIT"])

import harness_kit as kit

HARD = {
    "doubles": [0.1 + 0.2, 1 / 3, 1e300, 5e-324, -0.0],
    "special": [math.nan, math.inf, -math.inf, None, 1.5],
    "text": ["na\u00efve \u4e2d\U0001f389", 'a "quoted", comma', "two\nlines", "NA", ""],
    "integers": [42, -1, 2147483647, 2147483648, 9007199254740993],
}
"""``formats.R`` knows the same values."""


def train() -> Any:
    """Train the classic model for two epochs; return the weights of its first layer."""
    import keras
    import numpy as np

    x, y, _, _ = kit.split(*kit.make_data())
    keras.utils.set_random_seed(20240)
    model = keras.Sequential(
        [
            keras.Input(shape=(kit.PIXELS,)),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(kit.CLASSES, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    model.fit(x, y, epochs=2, verbose=0)
    return np.asarray(model.get_weights()[0], dtype="float64")


def for_r(value: Any) -> Any:
    """Write what JSON has no number for as the strings that jsonlite takes for numbers."""
    if isinstance(value, float) and not math.isfinite(value):
        return {math.inf: "Inf", -math.inf: "-Inf"}.get(value, "NaN")
    if isinstance(value, dict):
        return {key: for_r(item) for key, item in value.items()}
    return [for_r(item) for item in value] if isinstance(value, list) else value


def write_json(name: str, convert: Callable[[Any], Any], weights: Any) -> None:
    """Write both as one object; without ``convert``, NaN is written as Python writes it."""
    with open(name, "w", encoding="utf-8") as file:
        json.dump(convert({"weights": weights.tolist(), "hard": HARD}), file)


def write_pickle(weights: Any) -> None:
    """Write both in the protocol that Pythons from 3.4 on read."""
    with open("results.pickle", "wb") as file:
        pickle.dump({"weights": weights, "hard": HARD}, file, protocol=4)


def write_csv(weights: Any) -> None:
    """Write two tables."""
    with open("weights.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(weights.tolist())
    with open("hard.csv", "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(HARD)
        table.writerows(zip(*HARD.values()))


def write_npy(weights: Any) -> None:
    """Write arrays; they hold numbers of one kind, so there is no place for text."""
    import numpy as np

    np.save("weights.npy", weights)
    np.save("doubles.npy", np.array(HARD["doubles"]))
    np.save("special.npy", np.array(HARD["special"], dtype="float64"))
    np.save("integers.npy", np.array(HARD["integers"], dtype="int64"))


FORMATS = {
    "json": lambda weights: write_json("results.json", lambda value: value, weights),
    "json-strings": lambda weights: write_json("results-strings.json", for_r, weights),
    "pickle": write_pickle,
    "csv": write_csv,
    "npy": write_npy,
}


def main() -> None:
    """Train, and leave the results in the working folder."""
    weights = train()
    # What the formats are held against.
    kit.write_array("truth.bin", weights)
    seconds = {}
    for name, write in FORMATS.items():
        begin = time.perf_counter()
        write(weights)
        seconds[name] = time.perf_counter() - begin
    with open("written.json", "w", encoding="ascii") as file:
        json.dump(seconds, file)


if __name__ == "__main__":
    main()
