"""AdamW by torch's fused kernel: Loshchilov & Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.

To the last bit what `torch.optim.AdamW(fused=True)` does. That loads torch's compiler when it is made, though
nothing is compiled here: more than a second before the first step, and 150 MB.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class AdamW:
    """Moves parameters by groups: each has `params`, a rate `lr` and a `weight_decay`.

    A rate on the device is read there, by a recorded step too. `state` holds for each parameter the running
    means of its gradient and its square, and the number of steps. A step changes nothing where `found_inf`
    is 1; it divides gradients by `grad_scale`. Both are set anew for each step, as `torch.amp.GradScaler` does.
    """

    # Called once, before the next step changes anything.
    about_to_move: Callable[[], None] | None = None
    found_inf: Tensor | None = None
    # Without a value: a scaler takes one that is there for somebody else's.
    grad_scale: Tensor
    # GradScaler asks for it, and then leaves both to the step instead of waiting for the device.
    _step_supports_amp_scaling = True

    def __init__(self, groups: list[dict[str, Any]]) -> None:
        self.param_groups = groups
        self.state: dict[nn.Parameter, dict[str, Tensor]] = {
            parameter: {
                "step": torch.zeros((), device=parameter.device),
                "exp_avg": torch.zeros_like(parameter, requires_grad=False),
                "exp_avg_sq": torch.zeros_like(parameter, requires_grad=False),
            }
            for group in groups
            for parameter in group["params"]
        }

    @torch.no_grad()
    def step(self) -> None:
        """Move each parameter that has a gradient."""
        if self.about_to_move is not None:
            self.about_to_move()
            self.about_to_move = None
        for group in self.param_groups:
            moved = [p for p in group["params"] if p.grad is not None]
            if not moved:
                continue
            states = [self.state[p] for p in moved]
            steps = [state["step"] for state in states]
            torch._foreach_add_(steps, 1)
            torch._fused_adamw_(
                moved,
                [p.grad for p in moved],
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
                [],
                steps,
                lr=group["lr"],
                beta1=BETAS[0],
                beta2=BETAS[1],
                weight_decay=group["weight_decay"],
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
                grad_scale=getattr(self, "grad_scale", None),
                found_inf=self.found_inf,
            )
            if self.found_inf is not None:
                # What changed nothing was no step.
                torch._foreach_sub_(steps, [self.found_inf] * len(steps))

    def zero_grad(self) -> None:
        """Let go of all gradients."""
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None
