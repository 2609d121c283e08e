"""The probes' work in PyTorch; the control of what R does in ``reticulate/torch.R``."""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional, Sequence

import harness_kit as kit


def import_framework() -> None:
    import torch

    torch.set_num_threads(1)


def device(asked: str) -> Dict[str, Any]:
    import torch

    actual = "cpu"
    why_not: Optional[str] = None
    if asked != "cpu":
        if torch.version.cuda is None:
            why_not = "torch " + torch.__version__ + " is built without CUDA"
        elif torch.cuda.is_available():
            actual = "cuda:0"
    return kit.describe_device(asked, actual, torch.version.cuda, why_not)


def first_op(place: str) -> Any:
    import torch

    left, right = torch.tensor(kit.LEFT, device=place), torch.tensor(kit.RIGHT, device=place)
    return torch.matmul(left, right)


def device_of(tensor: Any) -> str:
    return str(tensor.device)


def train(
    stage: Callable[..., Any], parts: Sequence[Any], epochs: int, seed: int, place: str
) -> Dict[str, Any]:
    import torch
    from torch import nn

    with stage("build"):
        torch.manual_seed(seed)
        x, xt = (torch.tensor(part, dtype=torch.float32, device=place) for part in parts[::2])
        y, yt = (torch.tensor(part, dtype=torch.int64, device=place) for part in parts[1::2])
        # The softmax of the classic model is a part of this loss.
        model = nn.Sequential(
            nn.Linear(kit.PIXELS, 128), nn.ReLU(), nn.Linear(128, kit.CLASSES)
        ).to(place)
        loss_of = nn.CrossEntropyLoss()
        optimizer = torch.optim.Adam(model.parameters(), lr=kit.RATE)
        batches = list(zip(x.split(kit.BATCH), y.split(kit.BATCH)))

    def step(batch_x: Any, batch_y: Any) -> float:
        optimizer.zero_grad()
        loss = loss_of(model(batch_x), batch_y)
        loss.backward()
        optimizer.step()
        return float(loss.item())

    with stage("first_step"):
        step(*batches[0])
    losses = []
    with stage("epoch", epochs):
        for _ in range(epochs):
            total = sum(step(batch_x, batch_y) for batch_x, batch_y in batches)
            losses.append(total / len(batches))
    with stage("evaluate"), torch.no_grad():
        chances = torch.softmax(model(xt), dim=1)
        right = (chances.argmax(dim=1) == yt).sum().item()
    with stage("steady_step", len(batches)):
        for batch in batches:
            step(*batch)
    return {
        "losses": losses,
        "accuracy": right / len(yt),
        "device": device_of(chances),
        "chances": chances.cpu().numpy(),
    }
