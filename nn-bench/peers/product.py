"""The peer of the suite `product`: torch.mm into a matrix that is there already."""

from protocol import serve


class TorchProduct:
    def __init__(self, torch, left, right):
        self.torch = torch
        self.left, self.right = torch.from_numpy(left), torch.from_numpy(right)
        self.out = torch.empty(len(left), right.shape[1])

    def unit(self):
        self.torch.mm(self.left, self.right, out=self.out)

    def figure(self):
        """The mean of all elements."""
        return self.out.double().mean()


def load_torch(threads, matrices):
    import torch

    torch.set_num_threads(threads)
    names = [name.removesuffix("/left") for name in matrices.described if name.endswith("/left")]

    def maker(name):
        return lambda: TorchProduct(torch, matrices[f"{name}/left"], matrices[f"{name}/right"])

    return torch.__version__, {name: maker(name) for name in names}


if __name__ == "__main__":
    serve({"torch": load_torch})
