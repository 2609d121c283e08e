#: start
# @{title}
#: start ?backend
import os
os.environ["KERAS_BACKEND"] = "@{backend}"
#: python
#!raised
#!judged
import sys
print("Python", sys.version)
#: import
#!judged
for name in {"@{framework}", "numpy"} & set(sys.modules):
    print(name, sys.modules[name].__version__)
#: op
values = [float(value) for row in product for value in row]
#!judged
assert values == [19, 22, 43, 50], f"it gave {values}, not 19, 22, 43, 50"
#: convert
#!raised
#!judged
import numpy as np
i, j = np.arange(640.0), np.arange(784.0)
noise = (np.add.outer(i * 7919, j * 104729) + np.outer(i, j) % 9973 * 31) % 256
x = (255 * (np.add.outer(i % 10 * 101, j * 37) % 10 < 3) * 3 + noise) // 4 / 255
y = (i % 10).astype("int32")
#: train
print("losses:", losses)
#!judged
assert losses[-1] < losses[0], "the loss does not fall"
#: call
#!raised
#!judged
assert (lambda value: value)(0.1 + 0.2) == 0.1 + 0.2
#: callback
heard = lambda epoch, loss: 10 * epoch
#!raised
#!judged
assert sum(heard(epoch, 1 / (epoch + 1)) for epoch in range(4)) == 60
#: callback ?keras
import numpy as np
model = keras.Sequential([keras.Input(shape=(2,)), keras.layers.Dense(1)])
model.compile(optimizer="sgd", loss="mse")
told = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))
model.fit(np.ones((8, 2)), np.ones(8), epochs=4, verbose=0, callbacks=[told])
#: error
#!raised
#!judged
try:
    raise ValueError("planted in Python")
except ValueError as error:
    print("seen:", error)
#: end
print("All done.")
#!raised
#!judged
