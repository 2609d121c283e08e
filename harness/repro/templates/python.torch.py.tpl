#: import
#!raised
import torch
#: device
#!raised
#!judged
print("device:", torch.empty(1, device="@{place}").device)
#: op
#!raised
left = torch.tensor([[1.0, 2.0], [3.0, 4.0]], device="@{place}")
product = torch.matmul(left, torch.tensor([[5.0, 6.0], [7.0, 8.0]], device="@{place}"))
#: train
torch.manual_seed(1)
#!raised
x = torch.tensor(x, dtype=torch.float32, device="@{place}")
y = torch.tensor(y, dtype=torch.int64, device="@{place}")
nn = torch.nn
model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)).to("@{place}")
optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
losses = []
for epoch in range(10):
    optimizer.zero_grad()
    loss = nn.CrossEntropyLoss()(model(x), y)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
