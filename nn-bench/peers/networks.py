"""The peers of the suite `networks`: the same networks in torch, trained by its own gradient descent with momentum.

Matrices of each network NAME: `NAME/inputs` (cases × values, the channel last), `NAME/targets` (cases × classes, one-hot),
and the first parameters of each layer, such as `NAME/conv1.weights` (patch × maps, the channel last) and
`NAME/conv1.biases`.

Torch divides what dropout keeps by 1 - p when learning, where our side multiplies by 1 - p when the network is used. With
weights that are 1 - p times ours, torch starts with the same network; from there on `mlp` learns a little differently, and
with other draws.
"""

import copy

from protocol import TorchWork, serve

RATE = 0.01
MOMENTUM = 0.9
DECAY = 1e-4
#: Cases of a minibatch.
BATCHES = {"mlp": 100, "lenet": 64, "cifar": 128, "cifar-nolrn": 128}
#: Height, width and channels of images.
IMAGES = {"lenet": (28, 28, 1), "cifar": (32, 32, 3), "cifar-nolrn": (32, 32, 3)}
#: Images that the first dense layer sees as a row of values.
DENSE_IMAGES = {"lenet": (4, 4, 50), "cifar": (4, 4, 64), "cifar-nolrn": (4, 4, 64)}


def layers_of(name, nn):
    """The layers, those with parameters named as on our side."""
    if name == "mlp":
        return [
            nn.Dropout(0.2),
            ("hidden1", nn.Linear(784, 800)),
            nn.ReLU(),
            nn.Dropout(0.5),
            ("hidden2", nn.Linear(800, 800)),
            nn.ReLU(),
            nn.Dropout(0.5),
            ("output", nn.Linear(800, 10)),
        ]
    if name == "lenet":
        return [
            ("conv1", nn.Conv2d(1, 20, 5)),
            nn.MaxPool2d(2),
            ("conv2", nn.Conv2d(20, 50, 5)),
            nn.MaxPool2d(2),
            nn.Flatten(),
            ("hidden", nn.Linear(800, 500)),
            nn.ReLU(),
            ("output", nn.Linear(500, 10)),
        ]
    pool = {"kernel_size": 3, "stride": 2, "ceil_mode": True}
    norm = [nn.LocalResponseNorm(9, 5e-5, 0.75, 1.0)] if name == "cifar" else []
    return [
        ("conv1", nn.Conv2d(3, 32, 5, padding=2)),
        nn.MaxPool2d(**pool),
        nn.ReLU(),
        *norm,
        ("conv2", nn.Conv2d(32, 32, 5, padding=2)),
        nn.ReLU(),
        nn.AvgPool2d(**pool),
        *norm,
        ("conv3", nn.Conv2d(32, 64, 5, padding=2)),
        nn.ReLU(),
        nn.AvgPool2d(**pool),
        nn.Flatten(),
        ("output", nn.Linear(64 * 4 * 4, 10)),
    ]


def network(torch, device, name, matrices):
    """The network with the first parameters that it was given."""
    layers, modules, flat = layers_of(name, torch.nn), [], DENSE_IMAGES.get(name)
    kept = 1.0
    for layer in layers:
        if not isinstance(layer, tuple):
            modules.append(layer)
            kept = 1 - layer.p if isinstance(layer, torch.nn.Dropout) else kept
            continue
        label, module = layer
        weights = torch.from_numpy(matrices[f"{name}/{label}.weights"])
        maps = weights.shape[1]
        if isinstance(module, torch.nn.Conv2d):
            side = module.kernel_size[0]
            weights = weights.reshape(side, side, -1, maps).permute(3, 2, 0, 1)
        elif flat is not None:
            # What torch makes a row of has the channel first.
            weights, flat = weights.reshape(*flat, maps).permute(3, 2, 0, 1).reshape(maps, -1), None
        else:
            weights = weights.t()
        with torch.no_grad():
            module.weight.copy_(weights * kept)
            module.bias.copy_(torch.from_numpy(matrices[f"{name}/{label}.biases"])[0])
        modules.append(module)
        kept = 1.0
    return torch.nn.Sequential(*modules).to(device)


class TorchNetwork(TorchWork):
    """A network and its cases."""

    def __init__(self, torch, device, name, matrices):
        super().__init__(torch, device)
        inputs = torch.from_numpy(matrices[f"{name}/inputs"])
        if name in IMAGES:
            inputs = inputs.reshape(-1, *IMAGES[name]).permute(0, 3, 1, 2).contiguous()
        self.inputs = inputs.to(device)
        self.labels = torch.from_numpy(matrices[f"{name}/targets"]).argmax(1).to(device)
        self.first = network(torch, device, name, matrices)

    def loss(self, network, inputs, labels):
        return self.torch.nn.functional.cross_entropy(network(inputs), labels)

    def final_loss(self, network):
        network.eval()
        with self.torch.no_grad():
            return self.loss(network, self.inputs, self.labels)


class TorchTraining(TorchNetwork):
    """Goes on learning the same minibatches, again and again; one unit of work is all of them."""

    def __init__(self, torch, device, name, matrices):
        super().__init__(torch, device, name, matrices)
        self.batch = BATCHES[name]
        self.network, self.optimizer = self.start()

    def start(self):
        network = copy.deepcopy(self.first).train()
        optimizer = self.torch.optim.SGD(network.parameters(), lr=RATE, momentum=MOMENTUM, weight_decay=DECAY)
        return network, optimizer

    def unit(self):
        self.learn(self.network, self.optimizer)

    def learn(self, network, optimizer):
        for start in range(0, len(self.inputs) // self.batch * self.batch, self.batch):
            cases = slice(start, start + self.batch)
            optimizer.zero_grad()
            self.loss(network, self.inputs[cases], self.labels[cases]).backward()
            optimizer.step()

    def figure(self):
        """The loss after the first unit of work, of a new network."""
        network, optimizer = self.start()
        self.learn(network, optimizer)
        return self.final_loss(network)


class TorchUse(TorchNetwork):
    """Classifies the same images, again and again."""

    def __init__(self, torch, device, name, matrices):
        super().__init__(torch, device, name, matrices)
        self.first.eval()

    def unit(self):
        with self.torch.no_grad():
            self.first(self.inputs)

    def figure(self):
        """The loss of the first weights."""
        return self.final_loss(self.first)


def load_torch(place, matrices):
    import torch

    torch.manual_seed(0)
    device, makers = place.torch_device(torch), {}
    for name in BATCHES:
        makers[name] = lambda name=name: TorchTraining(torch, device, name, matrices)
        makers[f"{name}-infer"] = lambda name=name: TorchUse(torch, device, name, matrices)
    return torch.__version__, makers


if __name__ == "__main__":
    serve({"torch": load_torch})
