#: import
#!raised
keras <- import("keras")
#: device
#!raised
#!judged
cat("backend:", keras$backend$backend(), "\n")
#: op
#!raised
if (py_has_attr(keras, "ops")) {
  left <- keras$ops$convert_to_tensor(list(list(1, 2), list(3, 4)))
  product <- keras$ops$matmul(left, keras$ops$convert_to_tensor(list(list(5, 6), list(7, 8))))
} else {
  left <- keras$backend$constant(list(list(1, 2), list(3, 4)))
  product <- keras$backend$dot(left, keras$backend$constant(list(list(5, 6), list(7, 8))))
}
#: train
keras$utils$set_random_seed(1L)
#!raised
model <- keras$Sequential(list(
  keras$Input(shape = list(784L)),
  keras$layers$Dense(128L, activation = "relu"),
  keras$layers$Dense(10L, activation = "softmax")
))
model$compile(
  optimizer = keras$optimizers$Adam(learning_rate = 0.001),
  loss = "sparse_categorical_crossentropy", metrics = list("accuracy")
)
history <- model$fit(x, y, epochs = 4L, batch_size = 32L, shuffle = FALSE, verbose = 0L)
chances <- model$predict(x, verbose = 0L)
losses <- as.numeric(unlist(history$history$loss))
