#: import
#!raised
jax <- import("jax")
jnp <- import("jax.numpy")
#: device
#!raised
place <- jax$devices("@{place}")[[1L]]
#!judged
print(place)
#: op
#!raised
left <- jax$device_put(jnp$array(list(list(1, 2), list(3, 4))), place)
product <- jnp$matmul(left, jax$device_put(jnp$array(list(list(5, 6), list(7, 8))), place))
#: train
model <- function(weights, x) jnp$matmul(jax$nn$relu(jnp$matmul(x, weights$w1)), weights$w2)
loss_of <- function(weights, x, y) {
  right <- jnp$multiply(jax$nn$log_softmax(model(weights, x)), jax$nn$one_hot(y, 10L))
  jnp$negative(jnp$mean(jnp$sum(right, axis = 1L)))
}
#!raised
step <- jax$jit(function(weights, x, y) {
  found <- jax$value_and_grad(loss_of)(weights, x, y)
  for (name in names(weights)) {
    change <- jnp$multiply(0.5, found[[2L]][[name]])
    weights[[name]] <- jnp$subtract(weights[[name]], change)
  }
  list(weights, found[[1L]])
})
draw <- function(...) jnp$multiply(0.05, jax$random$normal(jax$random$PRNGKey(1L), list(...)))
weights <- list(w1 = draw(784L, 128L), w2 = draw(128L, 10L))
x <- jax$device_put(jnp$array(x, "float32"), place)
y <- jax$device_put(jnp$array(y, "int32"), place)
losses <- numeric()
for (epoch in 1:10) {
  found <- step(weights, x, y)
  weights <- found[[1L]]
  losses[[epoch]] <- found[[2L]]$item()
}
