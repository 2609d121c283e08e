# Keras 2 and 3 driven from R; the control is kit/frameworks/keras_work.py, step for step.

import_framework <- function() keras <<- reticulate::import("keras")

first_op <- function(place) {
  if (reticulate::py_has_attr(keras, "ops")) {
    left <- keras$ops$convert_to_tensor(kit$LEFT)
    return(keras$ops$matmul(left, keras$ops$convert_to_tensor(kit$RIGHT)))
  }
  keras$backend$dot(keras$backend$constant(kit$LEFT), keras$backend$constant(kit$RIGHT))
}

train <- function(parts, epochs, seed, place) {
  kit$stage("train", "build", {
    keras$utils$set_random_seed(seed)
    model <- keras$Sequential(list(
      keras$Input(shape = list(kit$PIXELS)),
      keras$layers$Dense(128L, activation = "relu"),
      keras$layers$Dense(kit$CLASSES, activation = "softmax")
    ))
    model$compile(
      optimizer = keras$optimizers$Adam(learning_rate = kit$RATE),
      loss = "sparse_categorical_crossentropy",
      metrics = list("accuracy")
    )
  })
  fit <- function(x, y, epochs) {
    model$fit(x, y, epochs = epochs, batch_size = kit$BATCH, shuffle = FALSE, verbose = 0L)
  }
  first <- seq_len(kit$BATCH)
  kit$stage("train", "first_step", fit(parts$x_train[first, ], array(parts$y_train[first]), 1L))
  kit$stage("train", "epoch", n = epochs, {
    history <- fit(parts$x_train, parts$y_train, epochs)
  })
  kit$stage("train", "evaluate", {
    table <- model$predict(parts$x_test, batch_size = nrow(parts$x_test), verbose = 0L)
    accuracy <- mean(max.col(table) - 1L == parts$y_test)
  })
  # Of fit() the steps alone, which is not what fit() compiled: the first of them is not timed.
  starts <- seq(1L, kit$TRAIN_ROWS, kit$BATCH)
  step <- function(start) {
    rows <- seq(start, length.out = kit$BATCH)
    model$train_on_batch(parts$x_train[rows, ], array(parts$y_train[rows]))
  }
  step(1L)
  kit$stage("train", "steady_step", n = length(starts), for (start in starts) step(start))
  work <- kit$py$framework("keras")
  list(
    losses = as.numeric(unlist(history$history$loss)),
    accuracy = accuracy,
    device = work$device_of(work$weight_of(model))
  )
}
