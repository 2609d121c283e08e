#: import
#!raised
import jax
import jax.numpy as jnp
#: device
#!raised
place = jax.devices("@{place}")[0]
#!judged
print("device:", place)
#: op
#!raised
left = jax.device_put(jnp.array([[1.0, 2.0], [3.0, 4.0]]), place)
product = jnp.matmul(left, jax.device_put(jnp.array([[5.0, 6.0], [7.0, 8.0]]), place))
#: train
def loss_of(weights, x, y):
    chances = jnp.matmul(jax.nn.relu(jnp.matmul(x, weights["w1"])), weights["w2"])
    return -jnp.mean(jnp.sum(jax.nn.log_softmax(chances) * jax.nn.one_hot(y, 10), axis=1))
#!raised
@jax.jit
def step(weights, x, y):
    loss, slopes = jax.value_and_grad(loss_of)(weights, x, y)
    return {name: weights[name] - 0.5 * slopes[name] for name in weights}, loss
draw = lambda *shape: 0.05 * jax.random.normal(jax.random.PRNGKey(1), shape)
weights = {"w1": draw(784, 128), "w2": draw(128, 10)}
x, y = jax.device_put(x.astype("float32"), place), jax.device_put(y.astype("int32"), place)
losses = []
for epoch in range(10):
    weights, loss = step(weights, x, y)
    losses.append(float(loss))
