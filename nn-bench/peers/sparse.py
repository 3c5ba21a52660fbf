"""The peers of the suite `sparse`: codes by the lasso and dictionaries of SPAMS and scikit-learn, objectives in torch.

Matrices: `atoms` (atoms × values, of length 1), `samples` and `held-out` (samples × values); `tica/patches` (cases × values)
and `tica/weights` (units × values); of `sparse-ae` `inputs` (patches × 144), `encoder.weights` (144 × 256),
`encoder.biases`, `decoder.weights` (256 × 144), `decoder.biases`.
"""

import os

# SPAMS shares samples out among threads of its own; a library of linear algebra that starts as many in each of them makes
# it several times slower. It has to be told before it is loaded. Torch has another one.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

from protocol import TorchWork, serve

LAMBDAS = {"lasso-1.0": 1.0, "lasso-0.3": 0.3}
LAMBDA = 1.0
BATCH = 100
#: Of the divergence of mean activities from their target, and of the squares of the weights.
TARGET = 0.05
WEIGHT = 3
DECAY = 1e-3
#: Of topographic ICA: units on a side of the map, weight of sparsity, what is added to an energy.
SIDE = 20
SPARSITY = 0.1
EPSILON = 1e-4


def mean_objective(numpy, samples, codes, atoms, weight):
    """The mean of ½‖x − Σ α d‖² + λ‖α‖₁ over samples."""
    rest = samples - codes @ atoms
    return (0.5 * numpy.square(rest, dtype="f8").sum(1) + weight * numpy.abs(codes).sum(1, dtype="f8")).mean()


class SpamsCodes:
    """Exact codes by the path of LARS; SPAMS wants samples and atoms as columns."""

    def __init__(self, numpy, spams, threads, matrices, weight):
        self.numpy, self.spams, self.threads, self.weight = numpy, spams, threads, weight
        self.samples, self.atoms = matrices["samples"], matrices["atoms"]
        self.columns = numpy.asfortranarray(self.samples.T)
        self.dictionary = numpy.asfortranarray(self.atoms.T)

    def codes(self, columns, dictionary):
        return self.spams.lasso(columns, D=dictionary, lambda1=self.weight, mode=2, numThreads=self.threads)

    def unit(self):
        self.found = self.codes(self.columns, self.dictionary)

    def figure(self):
        codes = self.numpy.asarray(self.found.T.todense())
        return mean_objective(self.numpy, self.samples, codes, self.atoms, self.weight)


class SpamsDictionary(SpamsCodes):
    """An epoch of the online method, from the atoms that are given."""

    def __init__(self, numpy, spams, threads, matrices):
        super().__init__(numpy, spams, threads, matrices, LAMBDA)
        self.held_out = matrices["held-out"]

    def unit(self):
        batches = -(-self.columns.shape[1] // BATCH)
        self.learned = self.spams.trainDL(
            self.columns,
            D=self.dictionary,
            lambda1=self.weight,
            mode=2,
            batchsize=BATCH,
            iter=batches,
            numThreads=self.threads,
            verbose=False,
        )

    def figure(self):
        learned = self.numpy.asfortranarray(self.learned)
        codes = self.codes(self.numpy.asfortranarray(self.held_out.T), learned)
        codes = self.numpy.asarray(codes.T.todense())
        return mean_objective(self.numpy, self.held_out, codes, learned.T, self.weight)


class ScikitCodes:
    """Coordinate descent, the solver that is fastest there."""

    def __init__(self, numpy, decomposition, matrices, weight):
        self.numpy, self.decomposition, self.weight = numpy, decomposition, weight
        self.samples, self.atoms = matrices["samples"], matrices["atoms"]

    def codes(self, samples, atoms):
        return self.decomposition.sparse_encode(
            samples, atoms, algorithm="lasso_cd", alpha=self.weight, max_iter=1000
        )

    def unit(self):
        self.found = self.codes(self.samples, self.atoms)

    def figure(self):
        return mean_objective(self.numpy, self.samples, self.found, self.atoms, self.weight)


class ScikitDictionary(ScikitCodes):
    """An epoch of the online method, from the atoms that are given."""

    def __init__(self, numpy, decomposition, matrices):
        super().__init__(numpy, decomposition, matrices, LAMBDA)
        self.held_out = matrices["held-out"]

    def unit(self):
        learner = self.decomposition.MiniBatchDictionaryLearning(
            len(self.atoms),
            alpha=self.weight,
            batch_size=BATCH,
            max_iter=1,
            fit_algorithm="cd",
            dict_init=self.atoms,
            random_state=0,
        )
        self.learned = learner.fit(self.samples).components_

    def figure(self):
        codes = self.codes(self.held_out, self.learned)
        return mean_objective(self.numpy, self.held_out, codes, self.learned, self.weight)


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


def load_spams(place, matrices):
    import importlib.metadata

    import numpy
    import spams

    for package in ("spams", "spams-bin"):
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    makers = {
        name: lambda weight=weight: SpamsCodes(numpy, spams, place.threads, matrices, weight)
        for name, weight in LAMBDAS.items()
    }
    makers["dictionary"] = lambda: SpamsDictionary(numpy, spams, place.threads, matrices)
    return version, makers


def load_scikit_learn(place, matrices):
    import warnings

    import numpy
    import sklearn
    from sklearn import decomposition

    # It warns of codes that do not reach its tolerance; the figure says what they are worth.
    warnings.simplefilter("ignore")
    makers = {"lasso-1.0": lambda: ScikitCodes(numpy, decomposition, matrices, LAMBDA)}
    makers["dictionary"] = lambda: ScikitDictionary(numpy, decomposition, matrices)
    return sklearn.__version__, makers


def load_torch(place, matrices):
    import torch

    device = place.torch_device(torch)
    return torch.__version__, {
        "tica": lambda: Tica(torch, device, matrices),
        "sparse-ae": lambda: TorchAutoencoder(torch, device, matrices),
    }


if __name__ == "__main__":
    serve({"spams": load_spams, "scikit-learn": load_scikit_learn, "torch": load_torch})
