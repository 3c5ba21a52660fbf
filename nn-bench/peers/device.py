"""The peers of the suite `device`: products, updates of a machine and passes through memory in torch, on the card that our
side computes on, else on the processor; in single precision without TF32.

Matrices: pairs NAME/left and NAME/right as in the suite `product`; `cd1/inputs` (cases × 784) and `cd1/weights` (the
start of training, 784 × 1024); `elements/shape`, which holds the rows and columns of the matrices that memory is
measured with. They are filled with uniform numbers here, as their values do not matter.
"""

from product import torch_products
from protocol import TorchWork, serve
from rbm import TorchTraining, draw_by_bernoulli, draw_by_rand, loader

#: Columns of a group.
GROUP = 16


class TorchUpdates(TorchTraining):
    """Goes on learning: one unit of work is one update. Cases come again as soon as all have been there."""

    def __init__(self, torch, device, draw, inputs, weights, batch):
        super().__init__(torch, device, draw, inputs, weights, sweeps=1)
        order = torch.randperm(len(inputs), device=device)
        self.order, self.batch, self.done = order.repeat(batch // len(inputs) + 2), batch, 0

    def unit(self):
        first = self.done * self.batch % len(self.inputs)
        with self.torch.no_grad():
            self.update(self.inputs.index_select(0, self.order[first : first + self.batch]))
        self.done += 1


class Grids:
    """The operands and the places of results, for all passes through memory."""

    def __init__(self, torch, device, rows, columns):
        self.a, self.b = (torch.rand(rows, columns, device=device) for _ in "ab")
        self.out = torch.empty(rows, columns, device=device)
        self.of_columns, self.of_rows = torch.empty(columns, device=device), torch.empty(rows, device=device)
        self.maxima = torch.empty(rows, columns // GROUP, device=device)
        self.grouped = self.a.view(rows, columns // GROUP, GROUP)
        self.grouped_out = self.out.view(rows, columns // GROUP, GROUP)


#: Each pass: one unit of work, which returns its result.
PASSES = {
    "assign": lambda torch, grids: torch.add(grids.a, grids.b, out=grids.out),
    "copy": lambda torch, grids: grids.out.copy_(grids.a),
    "sum-rows": lambda torch, grids: torch.sum(grids.a, 0, out=grids.of_columns),
    "sum-columns": lambda torch, grids: torch.sum(grids.a, 1, out=grids.of_rows),
    "max-groups": lambda torch, grids: torch.amax(grids.grouped, 2, out=grids.maxima),
    "softmax": lambda torch, grids: torch.softmax(grids.grouped, 2, out=grids.grouped_out),
    "uniform": lambda torch, grids: grids.out.uniform_(),
}


class TorchPass(TorchWork):
    def __init__(self, torch, device, grids, work):
        super().__init__(torch, device)
        self.grids, self.work = grids, work

    def unit(self):
        with self.torch.no_grad():
            self.work(self.torch, self.grids)

    def figure(self):
        """The mean of the result, which is made again, as its place is shared."""
        return self.work(self.torch, self.grids).mean(dtype=self.torch.float64)


def torch_updates(torch, device, draw, matrices):
    """Updates at any batch: `cd1-512`."""

    class Makers(dict):
        def __missing__(self, name):
            batch = int(name.removeprefix("cd1-"))
            return lambda: TorchUpdates(torch, device, draw, matrices["cd1/inputs"], matrices["cd1/weights"], batch)

    return Makers()


def torch_workloads(torch, device, draw, matrices):
    made = []

    def grids():
        # Made when they are first needed: a script that is not asked for them takes no memory.
        if not made:
            rows, columns = (int(number) for number in matrices["elements/shape"].ravel())
            made.append(Grids(torch, device, rows, columns))
        return made[0]

    def maker(work):
        return lambda: TorchPass(torch, device, grids(), work)

    workloads = torch_updates(torch, device, draw, matrices)
    workloads.update({name: maker(work) for name, work in PASSES.items()})
    workloads.update(torch_products(torch, device, matrices))
    return workloads


if __name__ == "__main__":
    serve({
        "torch": loader(draw_by_bernoulli, torch_workloads),
        "torch-rand": loader(draw_by_rand, torch_updates),
    })
