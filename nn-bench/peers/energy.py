"""The peers of the suite `energy`: the same updates of a deep Boltzmann machine, and mean field alone, in torch.

Torch runs twice, with `torch.bernoulli` and with `torch.rand`, as in the suite `rbm`, both written for speed: in place, sums
added where products are stored. As `torch-plain` it runs the updates as formulas read, each operation with a result of its
own, as most published code has them.

Matrices: `inputs` (cases × 784, in [0, 1]), `weights1` (784 × 500) and `weights2` (500 × 1000), the start of training.
"""

from protocol import TorchWork, serve
from rbm import draw_by_bernoulli, draw_by_rand, loader

BATCH = 100
CHAINS = 100
BATCHES = 10
SWEEPS = 10
RATE = 0.001
MOMENTUM = 0.9
DECAY = 2e-4
#: Cases that the reconstruction error is measured on.
MEASURED = 1000


class TorchDbm(TorchWork):
    """A deep Boltzmann machine of binary units with two hidden layers that goes on learning: one unit of work is an update
    for each of the first minibatches.

    Mean field says what the data are like, the input from the data being computed once for all sweeps, and persistent
    chains what the model is like: states of the visible and the second hidden layer, and means of the first one.
    """

    def __init__(self, torch, device, draw, matrices):
        super().__init__(torch, device)
        self.draw = draw
        self.inputs = torch.from_numpy(matrices["inputs"]).to(device)
        self.weights = [torch.from_numpy(matrices[f"weights{number}"]).to(device) for number in (1, 2)]
        self.batches = self.inputs[: BATCHES * BATCH].split(BATCH)
        sizes = [self.weights[0].shape[0], *(weights.shape[1] for weights in self.weights)]
        self.biases = [torch.zeros(size, device=device) for size in sizes]
        self.weights_step = [torch.zeros_like(weights) for weights in self.weights]
        self.biases_step = [torch.zeros_like(biases) for biases in self.biases]
        self.hidden = draw(torch.full((CHAINS, sizes[1]), 0.5, device=device))

    def mean_field(self, data):
        torch, (below, above), (_, first, second) = self.torch, self.weights, self.biases
        from_data = torch.addmm(first, data, below)
        # Without input from above that from below counts twice.
        hidden1 = (2 * from_data - first).sigmoid_()
        hidden2 = torch.addmm(second, hidden1, above).sigmoid_()
        for _ in range(SWEEPS):
            hidden1 = torch.addmm(from_data, hidden2, above.t()).sigmoid_()
            hidden2 = torch.addmm(second, hidden1, above).sigmoid_()
        return hidden1, hidden2

    def sweep(self):
        torch, (below, above), (visible, first, second) = self.torch, self.weights, self.biases
        model = self.draw(torch.addmm(visible, self.hidden, below.t()).sigmoid_())
        hidden2 = self.draw(torch.addmm(second, self.hidden, above).sigmoid_())
        hidden1 = torch.addmm(first, model, below).addmm_(hidden2, above.t()).sigmoid_()
        self.hidden = self.draw(hidden1)
        return model, hidden1, hidden2

    def unit(self):
        with self.torch.no_grad():
            for data in self.batches:
                self.update(data)

    def update(self, data):
        states, model = (data, *self.mean_field(data)), self.sweep()
        rate, away = RATE / BATCH, -RATE / CHAINS
        # Momentum, decay and both phases, each in place and the products accumulated where they are stored.
        for layer, (weights, step) in enumerate(zip(self.weights, self.weights_step)):
            step.addmm_(states[layer].t(), states[layer + 1], beta=MOMENTUM, alpha=rate)
            step.addmm_(model[layer].t(), model[layer + 1], alpha=away)
            step.add_(weights, alpha=-RATE * DECAY)
        for layer, step in enumerate(self.biases_step):
            step.mul_(MOMENTUM).add_(states[layer].sum(0), alpha=rate).add_(model[layer].sum(0), alpha=away)
        for value, step in zip(self.weights + self.biases, self.weights_step + self.biases_step):
            value.add_(step)

    def figure(self):
        """The mean squared error of reconstructing the first cases by the means of the first hidden layer."""
        cases = self.inputs[:MEASURED]
        hidden, _ = self.mean_field(cases)
        means = self.torch.addmm(self.biases[0], hidden, self.weights[0].t()).sigmoid_()
        return (cases - means).square().mean()


class PlainTorchDbm(TorchDbm):
    """The same updates as formulas read."""

    def mean_field(self, data):
        sigmoid, (below, above), (_, first, second) = self.torch.sigmoid, self.weights, self.biases
        from_data = data @ below + first
        hidden1 = sigmoid(2 * from_data - first)
        hidden2 = sigmoid(hidden1 @ above + second)
        for _ in range(SWEEPS):
            hidden1 = sigmoid(from_data + hidden2 @ above.T)
            hidden2 = sigmoid(hidden1 @ above + second)
        return hidden1, hidden2

    def sweep(self):
        sigmoid, (below, above), (visible, first, second) = self.torch.sigmoid, self.weights, self.biases
        model = self.draw(sigmoid(self.hidden @ below.T + visible))
        hidden2 = self.draw(sigmoid(self.hidden @ above + second))
        hidden1 = sigmoid(model @ below + hidden2 @ above.T + first)
        self.hidden = self.draw(hidden1)
        return model, hidden1, hidden2

    def update(self, data):
        states, model = (data, *self.mean_field(data)), self.sweep()
        for layer, weights in enumerate(self.weights):
            gradient = states[layer].T @ states[layer + 1] / BATCH - model[layer].T @ model[layer + 1] / CHAINS
            self.weights_step[layer] = MOMENTUM * self.weights_step[layer] + RATE * (gradient - DECAY * weights)
            self.weights[layer] = weights + self.weights_step[layer]
        for layer, biases in enumerate(self.biases):
            gradient = states[layer].mean(0) - model[layer].mean(0)
            self.biases_step[layer] = MOMENTUM * self.biases_step[layer] + RATE * gradient
            self.biases[layer] = biases + self.biases_step[layer]


class TorchMeanField(TorchDbm):
    """Only inference: one unit of work is mean field on each of the first minibatches."""

    def unit(self):
        with self.torch.no_grad():
            for data in self.batches:
                self.last = self.mean_field(data)

    def figure(self):
        """The mean of the second hidden layer."""
        return self.last[1].mean()


def torch_workloads(torch, device, draw, matrices):
    return {
        "dbm": lambda: TorchDbm(torch, device, draw, matrices),
        "dbm-mean-field": lambda: TorchMeanField(torch, device, draw, matrices),
    }


def plain_torch_workloads(torch, device, draw, matrices):
    return {"dbm": lambda: PlainTorchDbm(torch, device, draw, matrices)}


if __name__ == "__main__":
    serve(
        {
            "torch": loader(draw_by_bernoulli, torch_workloads),
            "torch-rand": loader(draw_by_rand, torch_workloads),
            "torch-plain": loader(draw_by_bernoulli, plain_torch_workloads),
        }
    )
