"""Muon for the weight matrices: momentum whose update is made (nearly) orthogonal by a Newton-Schulz iteration.

After Keller Jordan, "Muon: an optimizer for hidden layers in neural networks" (2024); coefficients from there.
"""

import torch


@torch.compile(dynamic=False)
def orthogonalised(update: torch.Tensor) -> torch.Tensor:
    """update [layers, rows, columns] with all singular values of each matrix brought near 1."""
    x = update.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """For parameters [layers, rows, columns]."""

    def __init__(self, parameters, lr: float, momentum: float = 0.95, weight_decay: float = 0.02):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(parameter)
                gradient, momentum = parameter.grad, state["momentum"]
                momentum.lerp_(gradient, 1 - group["momentum"])
                update = orthogonalised(gradient.lerp(momentum, group["momentum"]))
                rows, columns = parameter.shape[-2:]
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(update.to(parameter.dtype), alpha=-group["lr"] * max(1, rows / columns) ** 0.5)
