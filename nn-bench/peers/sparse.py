"""The peers of the suite `sparse`.

Matrices: `tica/patches` (cases × values) and `tica/weights` (units × values).
"""

from protocol import TorchWork, serve

SIDE = 20
SPARSITY = 0.1
EPSILON = 1e-4


class Tica(TorchWork):
    """Reconstruction topographic ICA on a torus with pools of 3 × 3: objective, and gradient by automatic differentiation."""

    def __init__(self, torch, device, matrices):
        super().__init__(torch, device)
        self.patches = torch.from_numpy(matrices["tica/patches"]).to(device)
        self.weights = torch.from_numpy(matrices["tica/weights"]).to(device).requires_grad_(True)
        index = torch.arange(SIDE * SIDE).reshape(SIDE, SIDE)
        pools = torch.zeros(SIDE * SIDE, SIDE * SIDE)
        for down in (-1, 0, 1):
            for across in (-1, 0, 1):
                pools[index.ravel(), index.roll((down, across), (0, 1)).ravel()] = 1
        self.pools = pools.to(device)

    def objective(self):
        torch = self.torch
        outputs = self.patches @ self.weights.T
        energies = torch.sqrt(EPSILON + (outputs * outputs) @ self.pools.T)
        return SPARSITY * energies.sum() + 0.5 * ((outputs @ self.weights - self.patches) ** 2).sum()

    def unit(self):
        self.weights.grad = None
        self.objective().backward()

    def figure(self):
        return self.objective().item() / len(self.patches)


def load_torch(place, matrices):
    import torch

    device = place.torch_device(torch)
    return torch.__version__, {"tica": lambda: Tica(torch, device, matrices)}


if __name__ == "__main__":
    serve({"torch": load_torch})
