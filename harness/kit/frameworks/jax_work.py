"""The probes' work in JAX; the control of what R does in ``reticulate/jax.R``."""

from __future__ import annotations

import importlib
from typing import Any, Callable, Dict, Optional, Sequence

import harness_kit as kit


def import_framework() -> None:
    importlib.import_module("jax")
    importlib.import_module("jax.numpy")


def device(asked: str) -> Dict[str, Any]:
    import jax

    why_not: Optional[str] = None
    try:
        actual = str_of(jax.devices("cpu" if asked == "cpu" else "gpu")[0])
    except RuntimeError as error:
        actual, why_not = str_of(jax.devices("cpu")[0]), kit.headline(error)
    return kit.describe_device(asked, actual, _runtime(), why_not)


def _runtime() -> Optional[str]:
    try:
        from jax._src.lib import cuda_versions

        number = cuda_versions.cuda_runtime_get_version()
    except Exception:  # a private module, and absent from a CPU build
        return None
    return "%d.%d" % (number // 1000, number % 1000 // 10)


def str_of(found: Any) -> str:
    """Return ``cpu:0`` or ``gpu:0``; how JAX prints a device changes between its versions."""
    return "%s:%d" % (found.platform, found.id)


def _place(name: str) -> Any:
    import jax

    platform, number = name.split(":")
    return next(found for found in jax.devices(platform) if found.id == int(number))


def first_op(place: str) -> Any:
    import jax
    import jax.numpy as jnp

    where = _place(place)
    left = jax.device_put(jnp.array(kit.LEFT), where)
    right = jax.device_put(jnp.array(kit.RIGHT), where)
    return jnp.matmul(left, right)


def device_of(tensor: Any) -> str:
    # devices() is a method since 0.4; before, there was device().
    if hasattr(tensor, "devices"):
        return str_of(min(tensor.devices(), key=lambda found: found.id))
    return str_of(tensor.device())


def train(
    stage: Callable[..., Any], parts: Sequence[Any], epochs: int, seed: int, place: str
) -> Dict[str, Any]:
    import jax
    import jax.numpy as jnp
    import numpy as np

    def start(seed: Any) -> Any:
        # One draw for both layers: compiling a draw takes a third of a second.
        size = kit.PIXELS * 128
        key = jax.random.PRNGKey(seed)
        draw = jax.random.uniform(key, (size + 128 * kit.CLASSES,), minval=-1.0, maxval=1.0)
        w1, w2 = jnp.split(draw, [size])
        weights = {
            "w1": jnp.reshape(w1, (kit.PIXELS, 128)) * (6 / (kit.PIXELS + 128)) ** 0.5,
            "b1": jnp.zeros((128,)),
            "w2": jnp.reshape(w2, (128, kit.CLASSES)) * (6 / (128 + kit.CLASSES)) ** 0.5,
            "b2": jnp.zeros((kit.CLASSES,)),
        }
        return weights, jax.tree_util.tree_map(jnp.zeros_like, weights)

    def model(weights: Any, x: Any) -> Any:
        hidden = jax.nn.relu(jnp.matmul(x, weights["w1"]) + weights["b1"])
        return jnp.matmul(hidden, weights["w2"]) + weights["b2"]

    def loss_of(weights: Any, x: Any, y: Any) -> Any:
        chances = jax.nn.log_softmax(model(weights, x))
        return -jnp.mean(jnp.sum(chances * jax.nn.one_hot(y, kit.CLASSES), axis=1))

    @jax.jit
    def adam(weights: Any, first: Any, second: Any, count: Any, x: Any, y: Any) -> Any:
        loss, slopes = jax.value_and_grad(loss_of)(weights, x, y)
        for name, slope in slopes.items():
            first[name] = 0.9 * first[name] + 0.1 * slope
            second[name] = 0.999 * second[name] + 0.001 * slope * slope
            mean, square = first[name] / (1 - 0.9**count), second[name] / (1 - 0.999**count)
            weights[name] = weights[name] - kit.RATE * mean / (jnp.sqrt(square) + 1e-8)
        return weights, first, second, loss

    where = _place(place)
    with stage("build"):
        # Everything is compiled as a whole: JAX compiles each operation outside of a jit by
        # itself, and each slice of an array anew, which costs seconds.
        weights, zeros = jax.device_put(jax.jit(start)(seed), where)
        first = second = zeros
        rows = [slice(at, at + kit.BATCH) for at in range(0, len(parts[0]), kit.BATCH)]
        batches = [
            (
                jax.device_put(parts[0][some].astype("float32"), where),
                jax.device_put(parts[1][some], where),
            )
            for some in rows
        ]
        held_back = jax.device_put(parts[2].astype("float32"), where)

    count = 1
    with stage("first_step"):
        weights, first, second, _ = adam(weights, first, second, float(count), *batches[0])
        weights["b2"].block_until_ready()
    losses = []
    with stage("epoch", epochs):
        for _ in range(epochs):
            total = 0.0
            for batch in batches:
                count += 1
                weights, first, second, loss = adam(weights, first, second, float(count), *batch)
                total += float(loss)
            losses.append(total / len(batches))
    with stage("evaluate"):
        chances = jax.jit(lambda weights, x: jax.nn.softmax(model(weights, x)))(weights, held_back)
        table = np.asarray(chances)
        right = int((table.argmax(axis=1) == parts[3]).sum())
    with stage("steady_step", len(batches)):
        for batch in batches:
            count += 1
            weights, first, second, loss = adam(weights, first, second, float(count), *batch)
            float(loss)
    return {
        "losses": losses,
        "accuracy": right / len(parts[3]),
        "device": device_of(chances),
        "chances": table,
    }
