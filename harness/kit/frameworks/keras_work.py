"""The probes' work in Keras 2 and 3; the control of what R does in ``reticulate/keras.R``."""

from __future__ import annotations

import importlib
from typing import Any, Callable, Dict, Sequence

import harness_kit as kit


def import_framework() -> None:
    importlib.import_module("keras")


def backend() -> str:
    import keras

    return str(keras.backend.backend()) if hasattr(keras.backend, "backend") else "tensorflow"


def device(asked: str) -> Dict[str, Any]:
    return dict(kit.framework(backend()).device(asked))


def first_op(_place: str) -> Any:
    import keras

    # Keras places by itself; device_of reads back where it did.
    if hasattr(keras, "ops"):
        left, right = (keras.ops.convert_to_tensor(part) for part in (kit.LEFT, kit.RIGHT))
        return keras.ops.matmul(left, right)
    return keras.backend.dot(keras.backend.constant(kit.LEFT), keras.backend.constant(kit.RIGHT))


def device_of(tensor: Any) -> str:
    return str(kit.framework(backend()).device_of(tensor))


def weight_of(model: Any) -> Any:
    """Return the backend's own tensor behind the first weight of ``model``."""
    weight = model.weights[0]
    # Keras 3 wraps the backend's variable, Keras 2 uses TensorFlow's own.
    return weight.value if not callable(weight.value) else weight


def train(
    stage: Callable[..., Any], parts: Sequence[Any], epochs: int, seed: int, _place: str
) -> Dict[str, Any]:
    import keras

    x, y, xt, yt = parts
    with stage("build"):
        keras.utils.set_random_seed(seed)
        model = keras.Sequential(
            [
                keras.Input(shape=(kit.PIXELS,)),
                keras.layers.Dense(128, activation="relu"),
                keras.layers.Dense(kit.CLASSES, activation="softmax"),
            ]
        )
        model.compile(
            optimizer=keras.optimizers.Adam(learning_rate=kit.RATE),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
    quiet = {"batch_size": kit.BATCH, "shuffle": False, "verbose": 0}
    with stage("first_step"):
        model.fit(x[: kit.BATCH], y[: kit.BATCH], epochs=1, **quiet)
    with stage("epoch", epochs):
        history = model.fit(x, y, epochs=epochs, **quiet)
    with stage("evaluate"):
        chances = model.predict(xt, batch_size=len(xt), verbose=0)
        right = (chances.argmax(axis=1) == yt).sum()
    # Of fit() the steps alone, which is not what fit() compiled: the first of them is not timed.
    parts = [slice(start, start + kit.BATCH) for start in range(0, len(x), kit.BATCH)]
    model.train_on_batch(x[parts[0]], y[parts[0]])
    with stage("steady_step", len(parts)):
        for part in parts:
            model.train_on_batch(x[part], y[part])
    return {
        "losses": [float(loss) for loss in history.history["loss"]],
        "accuracy": float(right) / len(yt),
        "device": device_of(weight_of(model)),
        "chances": chances,
    }


def train_small(function: Callable[[int, float], Any], epochs: int) -> None:
    """Train next to nothing, with a callback that calls ``function(epoch, loss)``."""
    import keras
    import numpy as np

    model = keras.Sequential([keras.Input(shape=(2,)), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")

    def on_epoch_end(epoch: int, logs: Dict[str, Any]) -> None:
        function(int(epoch), float(logs["loss"]))

    x = np.arange(16.0).reshape(8, 2) / 16.0
    told = keras.callbacks.LambdaCallback(on_epoch_end=on_epoch_end)
    model.fit(x, x.sum(axis=1), epochs=epochs, verbose=0, callbacks=[told])
