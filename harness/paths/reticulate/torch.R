# PyTorch driven from R; the control is kit/frameworks/torch_work.py, step for step.

import_framework <- function() {
  torch <<- reticulate::import("torch")
  torch$set_num_threads(1L)
}

first_op <- function(place) {
  torch$matmul(torch$tensor(kit$LEFT, device = place), torch$tensor(kit$RIGHT, device = place))
}

train <- function(parts, epochs, seed, place) {
  nn <- torch$nn
  kit$stage("train", "build", {
    torch$manual_seed(seed)
    x <- torch$tensor(parts$x_train, dtype = torch$float32, device = place)
    y <- torch$tensor(parts$y_train, dtype = torch$int64, device = place)
    x_test <- torch$tensor(parts$x_test, dtype = torch$float32, device = place)
    model <- nn$Sequential(
      nn$Linear(kit$PIXELS, 128L), nn$ReLU(), nn$Linear(128L, kit$CLASSES)
    )$to(place)
    loss_of <- nn$CrossEntropyLoss()
    optimizer <- torch$optim$Adam(model$parameters(), lr = kit$RATE)
    batches_x <- x$split(kit$BATCH)
    batches_y <- y$split(kit$BATCH)
  })
  step <- function(number) {
    optimizer$zero_grad()
    loss <- loss_of(model(batches_x[[number]]), batches_y[[number]])
    loss$backward()
    optimizer$step()
    loss$item()
  }
  kit$stage("train", "first_step", step(1L))
  losses <- numeric()
  kit$stage("train", "epoch", n = epochs, {
    for (epoch in seq_len(epochs)) {
      losses[[epoch]] <- mean(vapply(seq_along(batches_x), step, 0))
    }
  })
  kit$stage("train", "evaluate", {
    chances <- torch$softmax(model(x_test), dim = 1L)$detach()
    table <- chances$cpu()$numpy()
    accuracy <- mean(max.col(table) - 1L == parts$y_test)
  })
  kit$stage("train", "steady_step", n = length(batches_x), {
    for (number in seq_along(batches_x)) step(number)
  })
  list(losses = losses, accuracy = accuracy, device = as.character(chances$device))
}
