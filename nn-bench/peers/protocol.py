"""What every peer script shares: its arguments, the matrices it is given, and the conversation with nn-bench.

A script is one process that lives as long as its suite. It first prints one JSON line that says which libraries are
there, and on what card they compute, unless it is the processor. Then it answers each line that it reads with one JSON
line:

    run LIBRARY WORKLOAD UNITS    {"seconds": how long these units of work took}
    figure LIBRARY WORKLOAD       {"figure": what the work came to, to see that both sides do the same}

or with {"error": why not}. Between two lines it waits in a blocking read and computes nothing. The end of its input is
the end of the script.
"""

import argparse
import json
import platform
import sys
import time


class Matrices:
    """The data that both sides work on: little-endian single-precision files, row after row."""

    def __init__(self, described):
        self.described = {name: (int(rows), int(columns), path) for name, rows, columns, path in described}

    def __contains__(self, name):
        return name in self.described

    def __getitem__(self, name):
        """The matrix of this name as a numpy array of its own."""
        import numpy

        rows, columns, path = self.described[name]
        return numpy.fromfile(path, dtype="<f4").reshape(rows, columns)


class Place:
    """Where libraries compute: with so many threads, on the card that our side computes on, if there is one."""

    def __init__(self, threads, card):
        self.threads, self.wanted = threads, card
        #: The card that is used in fact.
        self.card = None

    def torch_device(self, torch):
        """The device for torch, which is told to compute in full single precision there."""
        torch.set_num_threads(self.threads)
        if self.wanted is None or not torch.cuda.is_available():
            return torch.device("cpu")
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        index = next((index for index, name in enumerate(names) if same_card(name, self.wanted)), 0)
        self.card = names[index]
        return torch.device("cuda", index)


def same_card(one, other):
    """Whether these are names of the same card, which drivers call by longer and shorter names."""
    one, other = one.lower(), other.lower()
    return one in other or other in one


class TorchWork:
    """Work of torch on a device, where it may be under way when the call that asked for it has returned."""

    def __init__(self, torch, device):
        self.torch, self.device = torch, device

    def wait(self):
        if self.device.type == "cuda":
            self.torch.cuda.synchronize(self.device)


def serve(libraries):
    """Answers until the input ends.

    `libraries` maps the name of a library to a function of the place and the matrices. The function imports the
    library and returns its version and a dictionary from the names of workloads to what makes them: objects with
    `unit()`, which does one unit of work or asks the device for it, `figure()`, and if need be `wait()`, which waits
    until all units are done.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--card", metavar="NAME")
    parser.add_argument("--matrix", nargs=4, action="append", default=[], metavar=("NAME", "ROWS", "COLUMNS", "PATH"))
    arguments = parser.parse_args()
    matrices, place = Matrices(arguments.matrix), Place(arguments.threads, arguments.card)

    versions, missing, makers = {}, {}, {}
    for library, load in libraries.items():
        try:
            versions[library], makers[library] = load(place, matrices)
        except Exception as error:  # A broken installation fails in any way it likes.
            missing[library] = brief(error)
    say({"python": platform.python_version(), "versions": versions, "missing": missing, "card": place.card})

    made = {}
    for line in sys.stdin:
        try:
            say(answer(line.split(), makers, made))
        except Exception as error:
            say({"error": brief(error)})


def answer(words, makers, made):
    """The reply to one line. `made` keeps what was made for earlier ones."""
    verb, library, workload, *units = words
    if (library, workload) not in made:
        made[library, workload] = makers[library][workload]()
    subject = made[library, workload]
    if verb == "figure":
        return {"figure": float(subject.figure())}
    count = int(units[0])
    began = time.perf_counter()
    for _ in range(count):
        subject.unit()
    if hasattr(subject, "wait"):
        subject.wait()
    return {"seconds": time.perf_counter() - began}


def say(message):
    print(json.dumps(message), flush=True)


def brief(error):
    return " ".join(f"{type(error).__name__}: {error}".split())
