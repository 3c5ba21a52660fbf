"""What every peer script shares: its arguments, the matrices it is given, and the conversation with nn-bench.

A script is one process that lives as long as its suite. It first prints one JSON line that says which libraries are
there. Then it answers each line that it reads with one JSON line:

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


def serve(libraries):
    """Answers until the input ends.

    `libraries` maps the name of a library to a function of the number of threads and the matrices. The function
    imports the library and returns its version and a dictionary from the names of workloads to what makes them:
    objects with `unit()`, which does one unit of work, and `figure()`.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--matrix", nargs=4, action="append", default=[], metavar=("NAME", "ROWS", "COLUMNS", "PATH"))
    arguments = parser.parse_args()
    matrices = Matrices(arguments.matrix)

    versions, missing, makers = {}, {}, {}
    for library, load in libraries.items():
        try:
            versions[library], makers[library] = load(arguments.threads, matrices)
        except Exception as error:  # A broken installation fails in any way it likes.
            missing[library] = brief(error)
    say({"python": platform.python_version(), "versions": versions, "missing": missing})

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
    return {"seconds": time.perf_counter() - began}


def say(message):
    print(json.dumps(message), flush=True)


def brief(error):
    return " ".join(f"{type(error).__name__}: {error}".split())
