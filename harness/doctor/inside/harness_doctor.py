"""What the doctor has Python do inside the user's own process, and in children beside it.

Runs on Python 3.6 to 3.14 with the standard library alone; numpy and the framework are what it
looks at.  Everything that a name here returns is made of plain values, because the conversion
of others may be what is broken.
"""

from __future__ import print_function

import importlib
import os
import sys


def watch():
    """Have Python print where it is when the doctor asks: before it ends what hangs."""
    try:
        import faulthandler
        import signal

        faulthandler.register(signal.SIGUSR2, file=2, all_threads=True)
        folder = os.path.dirname(os.environ["HARNESS_EVENTS"])
        open(os.path.join(folder, "watching"), "w").close()
    except Exception:  # no standard error to write to: then there is nobody to tell
        return


def libraries():
    """Return the shared libraries in this process's memory map, in its order."""
    found = []
    try:
        with open("/proc/self/maps", "rb") as file:
            for line in file.read().decode("utf-8", "replace").splitlines():
                path = line.split(None, 5)[-1]
                if path.startswith("/") and ".so" in path and path not in found:
                    found.append(path)
    except (IOError, OSError):
        pass
    return found


def identity():
    """Return which Python this is, read back from inside."""
    pythons = [path for path in libraries() if os.path.basename(path).startswith("libpython")]
    return {
        "executable": sys.executable or "",
        "version": ".".join(str(part) for part in sys.version_info[:3]),
        "version_string": sys.version.replace("\n", " "),
        "prefix": sys.prefix,
        "base_prefix": getattr(sys, "base_prefix", sys.prefix),
        "libpython": [os.path.realpath(path) for path in pythons],
        "encoding": str(getattr(sys.stdout, "encoding", "")),
    }


def installed(names):
    """Return those of ``names`` that can be found, without importing them."""
    from importlib import util

    found = []
    for name in names:
        try:
            spec = util.find_spec(name)
        except (ImportError, ValueError, AttributeError):
            continue
        if spec is not None:
            found.append(name)
    return found


def choose(modules, asked):
    """Return the framework to look at: the one asked for, else the first that is there."""
    if asked:
        return asked
    order = ("keras", "tensorflow", "torch", "jax")
    return next((name for name in order if name in modules), None)


def version(name):
    """Return the version of an imported module."""
    module = sys.modules.get(name)
    found = getattr(module, "__version__", None)
    return str(found) if found is not None else "unknown"


def numpy():
    """Import numpy and return its version."""
    module = importlib.import_module("numpy")
    return str(module.__version__)


def matrix(value):
    """Return ``ok`` where the value is the matrix that was sent, else what it is."""
    import numpy as np

    expected = [[1.0, 4.0], [2.5, 5e300], [-3.0, 6.0]]
    if not isinstance(value, np.ndarray):
        return "a " + type(value).__name__ + " and not as an array"
    if value.shape != (3, 2):
        return "an array of the shape " + repr(value.shape)
    if str(value.dtype) != "float64":
        return "an array of " + str(value.dtype)
    if value.tolist() != expected:
        return "other values: " + repr(value.tolist())
    return "ok"


def written(value):
    """Return how Python writes a value."""
    return "%r" % (value,)


def big():
    """Return an integer that needs more than 32 bits."""
    return 2**31 + 5


# --- Frameworks ---------------------------------------------------------------------------------


def device(framework):
    """Return ``got`` (cpu or cuda), ``build`` (what it was built for) and ``devices``."""
    build, got = None, "cpu"
    if framework == "keras":
        backend = importlib.import_module("keras")
        name = _backend(backend)
        found = device(name) if name in ("tensorflow", "torch", "jax") else {"got": "cpu"}
        found["backend"] = name
        return found
    if framework == "torch":
        torch = importlib.import_module("torch")
        build = torch.version.cuda
        if build is not None and torch.cuda.is_available():
            got = "cuda"
    elif framework == "tensorflow":
        tf = importlib.import_module("tensorflow")
        information = tf.sysconfig.get_build_info()
        if information.get("is_cuda_build"):
            build = str(information.get("cuda_version"))
            if tf.config.list_physical_devices("GPU"):
                got = "cuda"
    elif framework == "jax":
        jax = importlib.import_module("jax")
        if installed(["jax_plugins.xla_cuda12", "jax_plugins.xla_cuda13", "jax_cuda12_plugin"]):
            build = "12 or later"
        if jax.default_backend() in ("gpu", "cuda"):
            got = "cuda"
    return {"got": got, "build": build}


def _backend(keras):
    backend = getattr(keras, "backend", None)
    return str(backend.backend()) if hasattr(backend, "backend") else "tensorflow"


def op(framework, left, right):
    """Return the product of two matrices, computed by the framework, row by row."""
    if framework == "torch":
        torch = importlib.import_module("torch")
        result = torch.matmul(torch.as_tensor(left), torch.as_tensor(right)).tolist()
    elif framework == "tensorflow":
        tf = importlib.import_module("tensorflow")
        result = tf.matmul(tf.constant(left), tf.constant(right)).numpy().tolist()
    elif framework == "jax":
        # Compiled as a whole: outside of a jit JAX compiles each conversion, too.
        np, jax = importlib.import_module("numpy"), importlib.import_module("jax")
        result = np.asarray(jax.jit(lambda one, other: one @ other)(left, right)).tolist()
    else:
        keras = importlib.import_module("keras")
        if hasattr(keras, "ops"):
            found = keras.ops.matmul(left.astype("float32"), right.astype("float32"))
            result = keras.ops.convert_to_numpy(found).tolist()
        else:
            backend = keras.backend
            found = backend.dot(backend.constant(left), backend.constant(right))
            result = backend.get_value(found).tolist()
    return [float(value) for row in result for value in row]


def train(framework, x, y):
    """Do one step of training on two rows; return the loss."""
    x, y = x.astype("float32"), y.astype("float32")
    if framework == "torch":
        torch = importlib.import_module("torch")
        weight = torch.zeros((2, 1), requires_grad=True)
        loss = ((torch.as_tensor(x) @ weight - torch.as_tensor(y)) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            weight -= 0.1 * weight.grad
        return float(loss.item())
    if framework == "tensorflow":
        tf = importlib.import_module("tensorflow")
        weight = tf.Variable(tf.zeros((2, 1)))
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(tf.matmul(tf.constant(x), weight) - y))
        weight.assign_sub(0.1 * tape.gradient(loss, weight))
        return float(loss.numpy())
    if framework == "jax":
        return _train_jax(x, y)
    return _train_keras(x, y)


def _train_keras(x, y):
    keras = importlib.import_module("keras")
    if _backend(keras) == "jax":
        # What Keras compiles for JAX takes longer than importing both: the same by hand.
        layer = keras.layers.Dense(1, kernel_initializer="zeros")
        layer.build((2, 2))
        weights = [variable.value for variable in layer.trainable_variables]
        jax = importlib.import_module("jax")

        def loss_of(weights):
            output, _ = layer.stateless_call(weights, [], x)
            return keras.ops.mean((output - y) ** 2)

        loss, slopes = jax.jit(jax.value_and_grad(loss_of))(weights)
        for variable, slope in zip(layer.trainable_variables, slopes):
            variable.assign(variable.value - 0.1 * slope)
        return float(loss)
    dense = keras.layers.Dense(1, kernel_initializer="zeros")
    model = keras.Sequential([keras.Input(shape=(2,)), dense])
    model.compile(optimizer="sgd", loss="mse", run_eagerly=True)
    result = model.train_on_batch(x, y)
    return float(result[0] if isinstance(result, (list, tuple)) else result)


def _train_jax(x, y):
    np, jax = importlib.import_module("numpy"), importlib.import_module("jax")

    def loss_of(weight):
        return ((x @ weight - y) ** 2).sum()

    # Compiled as a whole, and begun with an array of numpy's: each of JAX's is compiled by itself.
    loss, slope = jax.jit(jax.value_and_grad(loss_of))(np.zeros((2, 1), "float32"))
    slope.block_until_ready()
    return float(loss)
