#: import
#!raised
torch <- import("torch")
#: device
#!raised
#!judged
print(torch$empty(1L, device = "@{place}")$device)
#: op
#!raised
left <- torch$tensor(list(list(1, 2), list(3, 4)), device = "@{place}")
product <- torch$matmul(left, torch$tensor(list(list(5, 6), list(7, 8)), device = "@{place}"))
#: train
nn <- torch$nn
torch$manual_seed(1L)
#!raised
x <- torch$tensor(x, dtype = torch$float32, device = "@{place}")
y <- torch$tensor(y, dtype = torch$int64, device = "@{place}")
model <- nn$Sequential(nn$Linear(784L, 128L), nn$ReLU(), nn$Linear(128L, 10L))$to("@{place}")
loss_of <- nn$CrossEntropyLoss()
optimizer <- torch$optim$Adam(model$parameters(), lr = 0.001)
losses <- numeric()
for (epoch in 1:10) {
  optimizer$zero_grad()
  loss <- loss_of(model(x), y)
  loss$backward()
  optimizer$step()
  losses[[epoch]] <- loss$item()
}
chances <- torch$softmax(model(x), dim = 1L)$detach()$cpu()$numpy()
