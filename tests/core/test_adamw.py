"""The optimizer, beside torch's own."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from core.training import device
from core.training.adamw import AdamW

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
RATES = (1e-3, 2e-3, 1e-3, 0.0, 5e-4)


def network(where: str) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8 * 36, 5)).to(where)


def groups(model: nn.Module) -> list[dict[str, Any]]:
    weights = [p for p in model.parameters() if p.ndim > 1]
    biases = [p for p in model.parameters() if p.ndim == 1]
    return [
        {"params": weights, "weight_decay": 0.05, "lr": device.rate(1e-3, model)},
        {"params": biases, "weight_decay": 0.0, "lr": device.rate(1e-3, model)},
    ]


def gradients(model: nn.Module, number: int) -> None:
    where = next(model.parameters()).device
    pictures = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(number)).to(where)
    model(pictures).square().sum().backward()


def moved(model: nn.Module, optimizer: Any, poisoned: int | None) -> list[Tensor]:
    """Return the weights after some steps, and what the optimizer keeps; one step has no number in it."""
    for number, rate in enumerate(RATES):
        for group in optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
        optimizer.zero_grad()
        gradients(model, number)
        bad = number == poisoned
        if bad:
            next(model.parameters()).grad[0] = math.nan  # type: ignore[index]
        optimizer.found_inf = torch.tensor(float(bad), device=next(model.parameters()).device)
        optimizer.step()
    kept = [optimizer.state[p][name] for p in model.parameters() for name in ("step", "exp_avg")]
    kept += [optimizer.state[p]["exp_avg_sq"] for p in model.parameters()]
    return [*model.parameters(), *kept]


@pytest.mark.parametrize("where", ["cpu", pytest.param("cuda", marks=GPU)])
@pytest.mark.parametrize("poisoned", [None, 0, 2])
def test_it_moves_weights_as_torchs_does_to_the_last_bit(where: str, poisoned: int | None) -> None:
    ours, theirs = network(where), network(where)
    torchs = torch.optim.AdamW(groups(theirs), fused=True, capturable=where == "cuda")
    found = moved(ours, AdamW(groups(ours)), poisoned)
    expected = moved(theirs, torchs, poisoned)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert not torch.equal(found[0], next(network(where).parameters()))


def test_what_has_no_gradient_stays() -> None:
    model = network("cpu")
    before = [p.detach().clone() for p in model.parameters()]
    optimizer = AdamW(groups(model))
    optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    gradients(model, 0)
    optimizer.step()
    assert not torch.equal(before[0], next(model.parameters()))
    optimizer.zero_grad()
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("where", ["cpu", pytest.param("cuda", marks=GPU)])
def test_a_scaler_leaves_out_the_step_that_overflowed(where: str) -> None:
    model = network(where)
    optimizer = AdamW(groups(model))
    scaler = torch.amp.GradScaler(where)
    seen = []
    for factor in (1.0, math.inf, 1.0):
        optimizer.zero_grad()
        pictures = torch.ones(6, 3, 8, 8, device=where)
        scaler.scale(model(pictures).sum() * factor).backward()
        scaler.step(optimizer)  # type: ignore[arg-type]
        scaler.update()
        seen.append(next(model.parameters()).detach().clone())
    assert torch.equal(seen[0], seen[1]) and not torch.equal(seen[1], seen[2])
    assert not torch.equal(seen[0], next(network(where).parameters()))


def test_the_trainer_does_not_load_torchs_compiler() -> None:
    """It would take a second more before the first step, and 150 MB as long as the run lasts."""
    script = """
import sys, torch
from core.config import TrainConfig
from core.costs import Sizes
from core.training.measure import images_per_second
sizes = Sizes(classes=2, train=32, validation=8, test=8, stored_size=64, channels=1)
config = TrainConfig(data="d", image_size=64, batch_size=8, epochs=1, device="cpu")
assert images_per_second(config, sizes) > 0
sys.exit("torch._dynamo" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
