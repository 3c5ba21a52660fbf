"""The peers of the suite `rbm`: the same learning rules and the same estimate of log Z in torch, and the persistent
contrastive divergence that scikit-learn has.

Torch runs twice: as `torch` it draws binary units with `torch.bernoulli`, as its documentation would have it, and as
`torch-rand` by comparing uniform numbers with the probabilities, which is faster on processors.

Matrices: `inputs` (cases × 784, in [0, 1]), `weights` (the start of training, 784 × 500), `ais-weights`, and `crbm/…` for
a convolutional machine: `inputs` (cases × 729), `weights` (144 × 40).
"""

import math

from protocol import TorchWork, serve

BATCH = 100
RATE = 0.05
MOMENTUM = 0.9
DECAY = 2e-4
CHAINS = 100
TEMPERATURES = 1000
#: Cases that the reconstruction error is measured on.
MEASURED = 1000


class TorchTraining(TorchWork):
    """An RBM of binary units that goes on learning: one unit of work is one shuffled epoch.

    `sweeps` of Gibbs sampling start at the data (contrastive divergence), or one sweep goes on from chains that are
    never restarted (`persistent`). Hidden units enter the gradient by their means in both phases; so does the last
    reconstruction of contrastive divergence.
    """

    def __init__(self, torch, device, draw, inputs, weights, sweeps, persistent=False):
        super().__init__(torch, device)
        self.draw = draw
        self.inputs, self.weights = torch.from_numpy(inputs).to(device), torch.from_numpy(weights).to(device)
        visible, hidden = self.weights.shape
        self.visible_biases, self.hidden_biases = self.zeros(visible), self.zeros(hidden)
        self.weights_step = self.zeros(visible, hidden)
        self.visible_step, self.hidden_step = self.zeros(visible), self.zeros(hidden)
        self.sweeps = sweeps
        self.chains = draw(self.zeros(CHAINS, hidden) + 0.5) if persistent else None

    def zeros(self, *shape):
        return self.torch.zeros(*shape, device=self.device)

    def mean_hidden(self, visible):
        return self.torch.addmm(self.hidden_biases, visible, self.weights).sigmoid_()

    def mean_visible(self, hidden):
        return self.torch.addmm(self.visible_biases, hidden, self.weights.t()).sigmoid_()

    def unit(self):
        with self.torch.no_grad():
            order = self.torch.randperm(len(self.inputs), device=self.device)
            for cases in order[: len(order) // BATCH * BATCH].split(BATCH):
                self.update(self.inputs.index_select(0, cases))

    def update(self, data):
        data_hidden = self.mean_hidden(data)
        if self.chains is None:
            model, model_hidden = self.from_the_data(data_hidden)
        else:
            model, model_hidden = self.from_the_chains()
        rate, away = RATE / len(data), -RATE / len(model)
        # Momentum, decay and both phases, each in place and the products accumulated where they are stored.
        self.weights_step.addmm_(data.t(), data_hidden, beta=MOMENTUM, alpha=rate)
        self.weights_step.addmm_(model.t(), model_hidden, alpha=away)
        self.weights_step.add_(self.weights, alpha=-RATE * DECAY)
        self.visible_step.mul_(MOMENTUM).add_(data.sum(0), alpha=rate).add_(model.sum(0), alpha=away)
        self.hidden_step.mul_(MOMENTUM).add_(data_hidden.sum(0), alpha=rate).add_(model_hidden.sum(0), alpha=away)
        self.weights.add_(self.weights_step)
        self.visible_biases.add_(self.visible_step)
        self.hidden_biases.add_(self.hidden_step)

    def from_the_data(self, data_hidden):
        hidden = self.draw(data_hidden)
        for _ in range(self.sweeps - 1):
            visible = self.draw(self.mean_visible(hidden))
            hidden = self.draw(self.mean_hidden(visible))
        model = self.mean_visible(hidden)
        return model, self.mean_hidden(model)

    def from_the_chains(self):
        for _ in range(self.sweeps):
            model = self.draw(self.mean_visible(self.chains))
            model_hidden = self.mean_hidden(model)
            self.chains = self.draw(model_hidden)
        return model, model_hidden

    def figure(self):
        """The mean squared error of reconstructing the first cases by their means."""
        cases = self.inputs[:MEASURED]
        return (cases - self.mean_visible(self.mean_hidden(cases))).square().mean()


class TorchAis(TorchWork):
    """Annealed importance sampling from independent units of zero bias to an RBM; one unit of work is one estimate."""

    def __init__(self, torch, device, draw, weights):
        super().__init__(torch, device)
        self.draw = draw
        self.weights = torch.from_numpy(weights).to(device)
        visible, hidden = self.weights.shape
        self.visible_biases = torch.zeros(visible, device=device)
        self.hidden_biases = torch.zeros(hidden, device=device)
        self.base_biases = torch.zeros(visible, device=device)
        self.log_partition = float("nan")

    def unit(self):
        with self.torch.no_grad():
            self.log_partition = self.estimate()

    def estimate(self):
        torch, softplus = self.torch, self.torch.nn.functional.softplus
        betas = [step / TEMPERATURES for step in range(TEMPERATURES + 1)]
        log_weights = torch.zeros(CHAINS, dtype=torch.float64, device=self.device)
        visible = self.draw(self.base_biases.sigmoid().expand(CHAINS, -1))
        for lower, upper in zip(betas[:-1], betas[1:]):
            activation = torch.addmm(self.hidden_biases, visible, self.weights)
            rise = (softplus(activation * upper) - softplus(activation * lower)).sum(1)
            rise += visible @ ((self.visible_biases - self.base_biases) * (upper - lower))
            log_weights += rise
            if upper < 1.0:
                hidden = self.draw(activation.mul_(upper).sigmoid_())
                biases = self.base_biases.lerp(self.visible_biases, upper)
                visible = self.draw(torch.addmm(biases, hidden, self.weights.t(), alpha=upper).sigmoid_())
        hidden_units = self.weights.shape[1]
        base = softplus(self.base_biases.double()).sum() + hidden_units * math.log(2.0)
        return base + log_weights.logsumexp(0) - math.log(CHAINS)

    def figure(self):
        """The last estimate of log Z."""
        return self.log_partition


class ScikitLearnPersistent:
    """One fit of one epoch. It has neither momentum nor decay, takes the batches in order and starts anew each time."""

    def __init__(self, library, inputs, hidden):
        self.library, self.inputs, self.hidden = library, inputs, hidden
        self.machine = None

    def unit(self):
        self.machine = self.library(
            self.hidden, learning_rate=RATE, batch_size=BATCH, n_iter=1, random_state=0
        ).fit(self.inputs)

    def figure(self):
        """As for torch."""
        import numpy

        def sigmoid(x):
            return 1 / (1 + numpy.exp(-x))

        cases, machine = self.inputs[:MEASURED], self.machine
        hidden = sigmoid(cases @ machine.components_.T + machine.intercept_hidden_)
        return numpy.square(cases - sigmoid(hidden @ machine.components_ + machine.intercept_visible_)).mean()


class TorchConvolutional(TorchWork):
    """A convolutional RBM with probabilistic max-pooling: 27×27 pixels, 40 filters, blocks of 2×2 hidden units of which at
    most one is on; one unit of work is ten updates by contrastive divergence with one sweep, in minibatches of 20.

    Blocks are drawn by `torch.multinomial`, or by comparing one uniform number with the running sums of their outcomes.
    """

    BATCH, UPDATES, RATE, TARGET, MEASURED = 20, 10, 0.1, 0.003, 200

    def __init__(self, torch, device, draw, inputs, weights):
        super().__init__(torch, device)
        self.by_sums = draw is not torch.bernoulli
        self.inputs = torch.from_numpy(inputs).to(device).reshape(-1, 1, 27, 27)
        side = int(math.isqrt(weights.shape[0]))
        filters = torch.from_numpy(weights).to(device).t().reshape(-1, 1, side, side)
        self.filters = filters.contiguous()
        self.biases = torch.zeros(len(filters), device=device)
        self.visible_bias = torch.zeros(1, device=device)
        self.done = 0

    def blocks(self, visible):
        """The outcomes of each block, off the last, cases × maps × blocks down × blocks across × 5."""
        functional = self.torch.nn.functional
        logits = functional.conv2d(visible, self.filters, self.biases)
        cases, maps, down, across = logits.shape
        logits = logits.reshape(cases, maps, down // 2, 2, across // 2, 2).permute(0, 1, 2, 4, 3, 5)
        logits = logits.reshape(cases, maps, down // 2, across // 2, 4)
        return functional.pad(logits, (0, 1)).softmax(-1)

    def units(self, blocks):
        """Values of the four units of each block as maps."""
        cases, maps, down, across, _ = blocks.shape
        units = blocks[..., :4].reshape(cases, maps, down, across, 2, 2).permute(0, 1, 2, 4, 3, 5)
        return units.reshape(cases, maps, 2 * down, 2 * across)

    def sample(self, outcomes):
        if self.by_sums:
            uniform = self.torch.rand(outcomes.shape[:-1], device=outcomes.device).unsqueeze(-1)
            sums = outcomes[..., :4].cumsum(-1)
            on = (uniform < sums).float()
            on[..., 1:] -= on[..., :-1].clone()
            return on
        flat = self.torch.multinomial(outcomes.reshape(-1, 5), 1).reshape(outcomes.shape[:-1])
        return self.torch.nn.functional.one_hot(flat, 5).float()

    def mean_visible(self, hidden):
        return (self.torch.nn.functional.conv_transpose2d(hidden, self.filters) + self.visible_bias).sigmoid_()

    def unit(self):
        with self.torch.no_grad():
            for _ in range(self.UPDATES):
                first = self.done * self.BATCH
                cases = [case % len(self.inputs) for case in range(first, first + self.BATCH)]
                self.update(self.inputs[cases])
                self.done += 1

    def update(self, data):
        outcomes = self.blocks(data)
        data_hidden = self.units(outcomes)
        model = self.mean_visible(self.units(self.sample(outcomes)))
        model_hidden = self.units(self.blocks(model))
        share = self.RATE / data_hidden[:, 0].numel()
        change = self.correlation(data, data_hidden) - self.correlation(model, model_hidden)
        self.filters.add_(change, alpha=share)
        activity = data_hidden.mean((0, 2, 3))
        pull = self.TARGET - activity
        self.biases.add_(activity - model_hidden.mean((0, 2, 3)) + pull, alpha=self.RATE)
        self.visible_bias.add_((data - model).sum(), alpha=share)

    def correlation(self, visible, hidden):
        products = self.torch.nn.functional.conv2d(visible.transpose(0, 1), hidden.transpose(0, 1))
        return products.transpose(0, 1)

    def figure(self):
        """The mean squared error of reconstructing the first cases by their means."""
        with self.torch.no_grad():
            cases = self.inputs[: self.MEASURED]
            return (cases - self.mean_visible(self.units(self.blocks(cases)))).square().mean()


def draw_by_bernoulli(torch):
    return torch.bernoulli


def draw_by_rand(torch):
    def draw(probabilities):
        return (torch.rand_like(probabilities) < probabilities).float()

    return draw


def loader(drawing, workloads):
    """Loads torch with one way to draw, for the workloads that a function makes of it."""

    def load(place, matrices):
        import torch

        torch.manual_seed(0)
        return torch.__version__, workloads(torch, place.torch_device(torch), drawing(torch), matrices)

    return load


def torch_workloads(torch, device, draw, matrices):
    def training(sweeps, persistent=False):
        inputs, weights = matrices["inputs"], matrices["weights"]
        return TorchTraining(torch, device, draw, inputs, weights, sweeps, persistent)

    return {
        "rbm-cd1": lambda: training(1),
        "rbm-cd10": lambda: training(10),
        "rbm-pcd1": lambda: training(1, persistent=True),
        "rbm-ais": lambda: TorchAis(torch, device, draw, matrices["ais-weights"]),
        "crbm": lambda: TorchConvolutional(
            torch, device, draw, matrices["crbm/inputs"], matrices["crbm/weights"]
        ),
    }


def load_scikit_learn(place, matrices):
    # Its threads are those of numpy's products, which the environment limits.
    import sklearn
    from sklearn.neural_network import BernoulliRBM

    def persistent():
        return ScikitLearnPersistent(BernoulliRBM, matrices["inputs"], matrices["weights"].shape[1])

    return sklearn.__version__, {"rbm-pcd1": persistent}


if __name__ == "__main__":
    torch, torch_rand = loader(draw_by_bernoulli, torch_workloads), loader(draw_by_rand, torch_workloads)
    serve({"torch": torch, "torch-rand": torch_rand, "scikit-learn": load_scikit_learn})
