"""The peer of the suite `product`: torch.mm into a matrix that is there already."""

from protocol import TorchWork, serve


class TorchProduct(TorchWork):
    def __init__(self, torch, device, left, right):
        super().__init__(torch, device)
        self.left, self.right = torch.from_numpy(left).to(device), torch.from_numpy(right).to(device)
        self.out = torch.empty(len(left), right.shape[1], device=device)

    def unit(self):
        self.torch.mm(self.left, self.right, out=self.out)

    def figure(self):
        """The mean of all elements."""
        return self.out.double().mean()


def torch_products(torch, device, matrices):
    """A maker for each pair of matrices NAME/left and NAME/right."""
    names = [name.removesuffix("/left") for name in matrices.described if name.endswith("/left")]

    def maker(name):
        return lambda: TorchProduct(torch, device, matrices[f"{name}/left"], matrices[f"{name}/right"])

    return {name: maker(name) for name in names}


def load_torch(place, matrices):
    import torch

    return torch.__version__, torch_products(torch, place.torch_device(torch), matrices)


if __name__ == "__main__":
    serve({"torch": load_torch})
