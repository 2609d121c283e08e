# TensorFlow driven from R; the control is kit/frameworks/tensorflow_work.py, step for step.

import_framework <- function() tf <<- reticulate::import("tensorflow")

first_op <- function(place) {
  with(tf$device(paste0("/", place)), {
    tf$matmul(tf$constant(kit$LEFT), tf$constant(kit$RIGHT))
  })
}

train <- function(parts, epochs, seed, place) {
  with(tf$device(paste0("/", place)), train_there(parts, epochs, seed))
}

# Glorot's limits; stateless, so that what was drawn before does not matter.
uniform <- function(rows, columns, seed, key) {
  limit <- sqrt(6 / (rows + columns))
  tf$random$stateless_uniform(list(rows, columns), list(seed, key), -limit, limit)
}

train_there <- function(parts, epochs, seed) {
  `%as%` <- reticulate::`%as%`
  kit$stage("train", "build", {
    x <- tf$constant(parts$x_train, tf$float32)
    y <- tf$constant(parts$y_train, tf$int32)
    x_test <- tf$constant(parts$x_test, tf$float32)
    weights <- list(
      tf$Variable(uniform(kit$PIXELS, 128L, seed, 1L)),
      tf$Variable(tf$zeros(list(128L))),
      tf$Variable(uniform(128L, kit$CLASSES, seed, 2L)),
      tf$Variable(tf$zeros(list(kit$CLASSES)))
    )
    zeros <- function(weight) tf$Variable(tf$zeros_like(weight))
    first <- lapply(weights, zeros)
    second <- lapply(weights, zeros)
    count <- kit$TRAIN_ROWS %/% kit$BATCH
    batches_x <- tf$split(x, count)
    batches_y <- tf$split(y, count)
  })
  model <- function(x) {
    hidden <- tf$nn$relu(tf$add(tf$matmul(x, weights[[1L]]), weights[[2L]]))
    tf$add(tf$matmul(hidden, weights[[3L]]), weights[[4L]])
  }
  # Step `number` of the whole training, on one batch.
  step <- function(number, batch_x, batch_y) {
    with(tf$GradientTape() %as% tape, {
      each <- tf$nn$sparse_softmax_cross_entropy_with_logits(batch_y, model(batch_x))
      loss <- tf$reduce_mean(each)
    })
    slopes <- tape$gradient(loss, weights)
    for (at in seq_along(weights)) {
      tf$raw_ops$ResourceApplyAdam(
        var = weights[[at]]$handle, m = first[[at]]$handle, v = second[[at]]$handle,
        beta1_power = 0.9^number, beta2_power = 0.999^number, lr = kit$RATE,
        beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7, grad = slopes[[at]]
      )
    }
    as.numeric(loss$numpy())
  }
  number <- 1L
  kit$stage("train", "first_step", step(number, batches_x[[1L]], batches_y[[1L]]))
  losses <- numeric()
  kit$stage("train", "epoch", n = epochs, {
    for (epoch in seq_len(epochs)) {
      total <- 0
      for (at in seq_along(batches_x)) {
        number <- number + 1L
        total <- total + step(number, batches_x[[at]], batches_y[[at]])
      }
      losses[[epoch]] <- total / length(batches_x)
    }
  })
  kit$stage("train", "evaluate", {
    chances <- tf$nn$softmax(model(x_test))
    accuracy <- mean(max.col(chances$numpy()) - 1L == parts$y_test)
  })
  kit$stage("train", "steady_step", n = length(batches_x), {
    for (at in seq_along(batches_x)) {
      number <- number + 1L
      step(number, batches_x[[at]], batches_y[[at]])
    }
  })
  list(
    losses = losses, accuracy = accuracy,
    device = kit$py$framework("tensorflow")$device_of(chances)
  )
}
