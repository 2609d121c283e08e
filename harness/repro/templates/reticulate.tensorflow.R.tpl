#: import
#!raised
tf <- import("tensorflow")
#: device
#!raised
#!judged
for (device in tf$config$list_physical_devices()) print(device)
#: op
#!raised
with(tf$device("/@{place}"), {
  left <- tf$constant(list(list(1, 2), list(3, 4)))
  product <- tf$matmul(left, tf$constant(list(list(5, 6), list(7, 8))))
})
#: train
#!raised
x <- tf$constant(x, tf$float32)
y <- tf$constant(y, tf$int32)
draw <- function(...) {
  tf$Variable(tf$random$stateless_normal(list(...), seed = list(1L, 2L), stddev = 0.05))
}
weights <- list(draw(784L, 128L), draw(128L, 10L))
losses <- numeric()
for (epoch in 1:10) {
  with(tf$GradientTape() %as% tape, {
    chances <- tf$matmul(tf$nn$relu(tf$matmul(x, weights[[1L]])), weights[[2L]])
    loss <- tf$reduce_mean(tf$nn$sparse_softmax_cross_entropy_with_logits(y, chances))
  })
  slopes <- tape$gradient(loss, weights)
  for (at in 1:2) weights[[at]]$assign_sub(tf$multiply(0.5, slopes[[at]]))
  losses[[epoch]] <- as.numeric(loss$numpy())
}
