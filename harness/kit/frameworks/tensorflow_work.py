"""The probes' work in TensorFlow; the control of what R does in ``reticulate/tensorflow.R``."""

from __future__ import annotations

import importlib
from typing import Any, Callable, Dict, Optional, Sequence

import harness_kit as kit


def import_framework() -> None:
    importlib.import_module("tensorflow")


def device(asked: str) -> Dict[str, Any]:
    import tensorflow as tf

    actual = "CPU:0"
    why_not: Optional[str] = None
    build = tf.sysconfig.get_build_info()
    if asked != "cpu":
        if not tf.test.is_built_with_cuda():
            why_not = "tensorflow " + tf.__version__ + " is built without CUDA"
        elif tf.config.list_physical_devices("GPU"):
            actual = "GPU:0"
    return kit.describe_device(asked, actual, build.get("cuda_version"), why_not)


def first_op(place: str) -> Any:
    import tensorflow as tf

    with tf.device("/" + place):
        return tf.matmul(tf.constant(kit.LEFT), tf.constant(kit.RIGHT))


def device_of(tensor: Any) -> str:
    # Placement is soft: the scope says what was asked, only the tensor says what happened.
    return str(tensor.device).split("device:")[-1]


def train(
    stage: Callable[..., Any], parts: Sequence[Any], epochs: int, seed: int, place: str
) -> Dict[str, Any]:
    import tensorflow as tf

    def uniform(rows: int, columns: int, key: int) -> Any:
        # Glorot's limits; stateless, so that what was drawn before does not matter.
        limit = (6 / (rows + columns)) ** 0.5
        return tf.random.stateless_uniform((rows, columns), (seed, key), -limit, limit)

    with tf.device("/" + place):
        with stage("build"):
            x, xt = (tf.constant(part, tf.float32) for part in parts[::2])
            y, yt = (tf.constant(part, tf.int32) for part in parts[1::2])
            weights = [
                tf.Variable(uniform(kit.PIXELS, 128, 1)),
                tf.Variable(tf.zeros((128,))),
                tf.Variable(uniform(128, kit.CLASSES, 2)),
                tf.Variable(tf.zeros((kit.CLASSES,))),
            ]
            first = [tf.Variable(tf.zeros_like(weight)) for weight in weights]
            second = [tf.Variable(tf.zeros_like(weight)) for weight in weights]
            count = len(parts[0]) // kit.BATCH
            batches = list(zip(tf.split(x, count), tf.split(y, count)))

        def model(x: Any) -> Any:
            hidden = tf.nn.relu(tf.matmul(x, weights[0]) + weights[1])
            return tf.matmul(hidden, weights[2]) + weights[3]

        def step(number: int, batch_x: Any, batch_y: Any) -> float:
            with tf.GradientTape() as tape:
                each = tf.nn.sparse_softmax_cross_entropy_with_logits(batch_y, model(batch_x))
                loss = tf.reduce_mean(each)
            # Keras' optimizers would bring Keras in, which is another cell's business.
            for w, m, v, slope in zip(weights, first, second, tape.gradient(loss, weights)):
                tf.raw_ops.ResourceApplyAdam(
                    var=w.handle,
                    m=m.handle,
                    v=v.handle,
                    beta1_power=0.9**number,
                    beta2_power=0.999**number,
                    lr=kit.RATE,
                    beta1=0.9,
                    beta2=0.999,
                    epsilon=1e-7,
                    grad=slope,
                )
            return float(loss)

        number = 1
        with stage("first_step"):
            step(number, *batches[0])
        losses = []
        with stage("epoch", epochs):
            for _ in range(epochs):
                total = 0.0
                for batch_x, batch_y in batches:
                    number += 1
                    total += step(number, batch_x, batch_y)
                losses.append(total / len(batches))
        with stage("evaluate"):
            chances = tf.nn.softmax(model(xt))
            same = tf.equal(tf.argmax(chances, 1, tf.int32), yt)
            right = int(tf.reduce_sum(tf.cast(same, tf.int32)))
        with stage("steady_step", len(batches)):
            for batch_x, batch_y in batches:
                number += 1
                step(number, batch_x, batch_y)
    return {
        "losses": losses,
        "accuracy": right / len(parts[3]),
        "device": device_of(chances),
        "chances": chances.numpy(),
    }
