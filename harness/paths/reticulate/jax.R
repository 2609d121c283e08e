# JAX driven from R; the control is kit/frameworks/jax_work.py, step for step.
#
# The functions that JAX differentiates and compiles are R functions: reticulate hands each to
# Python as a callable, JAX traces it once, and lists with names are the trees of weights. The
# operators are spelled as functions of jax.numpy, because reticulate has none for Python
# objects before version 1.29.

import_framework <- function() {
  jax <<- reticulate::import("jax")
  jnp <<- reticulate::import("jax.numpy")
}

# The device that the harness names `cpu:0` or `gpu:0`.
place_of <- function(place) {
  parts <- strsplit(place, ":")[[1L]]
  jax$devices(parts[[1L]])[[as.integer(parts[[2L]]) + 1L]]
}

first_op <- function(place) {
  where <- place_of(place)
  left <- jax$device_put(jnp$array(kit$LEFT), where)
  jnp$matmul(left, jax$device_put(jnp$array(kit$RIGHT), where))
}

train <- function(parts, epochs, seed, place) {
  start <- function(seed) {
    size <- kit$PIXELS * 128L
    key <- jax$random$PRNGKey(seed)
    draw <- jax$random$uniform(
      key, list(size + 128L * kit$CLASSES), minval = -1, maxval = 1
    )
    draw <- jnp$split(draw, list(size))
    weights <- list(
      w1 = jnp$multiply(
        jnp$reshape(draw[[1L]], list(kit$PIXELS, 128L)), sqrt(6 / (kit$PIXELS + 128L))
      ),
      b1 = jnp$zeros(list(128L)),
      w2 = jnp$multiply(
        jnp$reshape(draw[[2L]], list(128L, kit$CLASSES)), sqrt(6 / (128L + kit$CLASSES))
      ),
      b2 = jnp$zeros(list(kit$CLASSES))
    )
    list(weights, lapply(weights, jnp$zeros_like))
  }
  model <- function(weights, x) {
    hidden <- jax$nn$relu(jnp$add(jnp$matmul(x, weights$w1), weights$b1))
    jnp$add(jnp$matmul(hidden, weights$w2), weights$b2)
  }
  loss_of <- function(weights, x, y) {
    chances <- jax$nn$log_softmax(model(weights, x))
    each <- jnp$sum(jnp$multiply(chances, jax$nn$one_hot(y, kit$CLASSES)), axis = 1L)
    jnp$negative(jnp$mean(each))
  }
  adam <- jax$jit(function(weights, first, second, count, x, y) {
    found <- jax$value_and_grad(loss_of)(weights, x, y)
    slopes <- found[[2L]]
    one <- jnp$subtract
    for (name in names(slopes)) {
      slope <- slopes[[name]]
      first[[name]] <- jnp$add(jnp$multiply(0.9, first[[name]]), jnp$multiply(0.1, slope))
      second[[name]] <- jnp$add(
        jnp$multiply(0.999, second[[name]]), jnp$multiply(jnp$multiply(0.001, slope), slope)
      )
      mean <- jnp$divide(first[[name]], one(1, jnp$power(0.9, count)))
      square <- jnp$divide(second[[name]], one(1, jnp$power(0.999, count)))
      change <- jnp$divide(jnp$multiply(kit$RATE, mean), jnp$add(jnp$sqrt(square), 1e-8))
      weights[[name]] <- jnp$subtract(weights[[name]], change)
    }
    list(weights, first, second, found[[1L]])
  })
  where <- place_of(place)
  there <- function(values, type) jax$device_put(jnp$array(values, type), where)
  kit$stage("train", "build", {
    begin <- jax$device_put(jax$jit(start)(seed), where)
    weights <- begin[[1L]]
    first <- second <- begin[[2L]]
    rows <- split(seq_len(kit$TRAIN_ROWS), (seq_len(kit$TRAIN_ROWS) - 1L) %/% kit$BATCH)
    batches <- lapply(unname(rows), function(some) {
      list(there(parts$x_train[some, ], "float32"), there(array(parts$y_train[some]), "int32"))
    })
    x_test <- there(parts$x_test, "float32")
  })
  # Step `count` of the whole training, on one batch.
  step <- function(count, batch) {
    found <- adam(weights, first, second, as.double(count), batch[[1L]], batch[[2L]])
    weights <<- found[[1L]]
    first <<- found[[2L]]
    second <<- found[[3L]]
    found[[4L]]$item()
  }
  count <- 1L
  kit$stage("train", "first_step", step(count, batches[[1L]]))
  losses <- numeric()
  kit$stage("train", "epoch", n = epochs, {
    for (epoch in seq_len(epochs)) {
      total <- 0
      for (batch in batches) {
        count <- count + 1L
        total <- total + step(count, batch)
      }
      losses[[epoch]] <- total / length(batches)
    }
  })
  kit$stage("train", "evaluate", {
    predict <- jax$jit(function(weights, x) jax$nn$softmax(model(weights, x)))
    chances <- predict(weights, x_test)
    table <- kit$py$to_numpy(chances)
    accuracy <- mean(max.col(table) - 1L == parts$y_test)
  })
  kit$stage("train", "steady_step", n = length(batches), {
    for (batch in batches) {
      count <- count + 1L
      step(count, batch)
    }
  })
  list(losses = losses, accuracy = accuracy, device = kit$py$framework("jax")$device_of(chances))
}
