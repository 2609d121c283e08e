#: import
#!raised
import keras
#: device
#!raised
#!judged
print("backend:", keras.backend.backend())
#: op
#!raised
if hasattr(keras, "ops"):
    tensor, multiply = keras.ops.convert_to_tensor, keras.ops.matmul
else:
    tensor, multiply = keras.backend.constant, keras.backend.dot
product = multiply(tensor([[1.0, 2.0], [3.0, 4.0]]), tensor([[5.0, 6.0], [7.0, 8.0]]))
#: train
keras.utils.set_random_seed(1)
#!raised
model = keras.Sequential([
    keras.Input(shape=(784,)),
    keras.layers.Dense(128, activation="relu"),
    keras.layers.Dense(10, activation="softmax"),
])
adam = keras.optimizers.Adam(learning_rate=0.001)
model.compile(optimizer=adam, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x, y, epochs=4, batch_size=32, shuffle=False, verbose=0)
losses = [float(loss) for loss in history.history["loss"]]
