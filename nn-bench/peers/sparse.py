"""The peers of the suite `sparse`.

Matrices: `tica/patches` (cases × values) and `tica/weights` (units × values); of `sparse-ae`: `inputs` (patches × 144), `encoder.weights` (144 × 256), `encoder.biases`, `decoder.weights`
(256 × 144), `decoder.biases`.
"""

from protocol import TorchWork, serve

#: Of the divergence of mean activities from their target, and of the squares of the weights.
TARGET = 0.05
WEIGHT = 3
DECAY = 1e-3


#: Of topographic ICA: units on a side of the map, weight of sparsity, what is added to an energy.
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


class TorchAutoencoder(TorchWork):
    """A sparse autoencoder; one unit of work is its objective and gradient over all patches."""

    def __init__(self, torch, device, matrices):
        super().__init__(torch, device)
        names = ["inputs", "encoder.weights", "encoder.biases", "decoder.weights", "decoder.biases"]
        tensors = [torch.from_numpy(matrices[f"sparse-ae/{name}"]).to(device) for name in names]
        self.inputs, self.parameters = tensors[0], [tensor.requires_grad_(True) for tensor in tensors[1:]]

    def objective(self):
        torch, x = self.torch, self.inputs
        encoder, encoder_biases, decoder, decoder_biases = self.parameters
        codes = torch.sigmoid(torch.addmm(encoder_biases, x, encoder))
        mean = codes.mean(0)
        divergence = (
            TARGET * torch.log(TARGET / mean) + (1 - TARGET) * torch.log((1 - TARGET) / (1 - mean))
        ).sum()
        loss = 0.5 * ((torch.addmm(decoder_biases, codes, decoder) - x) ** 2).sum() / len(x)
        return loss + WEIGHT * divergence + DECAY * ((encoder**2).sum() + (decoder**2).sum())

    def unit(self):
        for parameter in self.parameters:
            parameter.grad = None
        self.objective().backward()

    def figure(self):
        with self.torch.no_grad():
            return self.objective()


def load_torch(place, matrices):
    import torch

    device = place.torch_device(torch)
    return torch.__version__, {
        "tica": lambda: Tica(torch, device, matrices),
        "sparse-ae": lambda: TorchAutoencoder(torch, device, matrices),
    }


if __name__ == "__main__":
    serve({"torch": load_torch})
