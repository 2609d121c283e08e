#: import
#!raised
import tensorflow as tf
#: device
#!raised
#!judged
print("devices:", [device.name for device in tf.config.list_physical_devices()])
#: op
#!raised
with tf.device("/@{place}"):
    left = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    product = tf.matmul(left, tf.constant([[5.0, 6.0], [7.0, 8.0]]))
#: train
#!raised
x, y = tf.constant(x, tf.float32), tf.constant(y, tf.int32)
draw = lambda *shape: tf.Variable(tf.random.stateless_normal(shape, (1, 2), stddev=0.05))
weights = [draw(784, 128), draw(128, 10)]
losses = []
for epoch in range(10):
    with tf.GradientTape() as tape:
        chances = tf.matmul(tf.nn.relu(tf.matmul(x, weights[0])), weights[1])
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, chances))
    for weight, slope in zip(weights, tape.gradient(loss, weights)):
        weight.assign_sub(0.5 * slope)
    losses.append(float(loss))
