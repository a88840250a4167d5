"""`python -m benchmarks [names] [--quick] [--seeds N]`: prints the tables, which are Markdown too."""

import argparse
import importlib
import platform

NAMES = {
    "quality": "time_to_quality",
    "throughput": "throughput",
    "images": "images",
    "app": "app",
}

parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(NAMES)}; all when none is given")
parser.add_argument("--quick", action="store_true", help="one distribution, one seed, 3 s a peer")
parser.add_argument("--seeds", type=int, default=3, help="runs of which the median is reported")
parser.add_argument("--threads", type=int, default=1, help="threads for torch; more gain nothing here")
arguments = parser.parse_args()
for unknown in set(arguments.names) - set(NAMES):
    parser.error(f"no table is called {unknown!r}; choose of {', '.join(NAMES)}")

import torch  # noqa: E402  after the arguments, so that --help is quick

torch.set_num_threads(arguments.threads)
versions = f"Python {platform.python_version()}, torch {torch.__version__}"
print(f"{versions}, {arguments.threads} threads, {platform.machine()}\n")
for name in arguments.names or NAMES:
    module = importlib.import_module(f"benchmarks.{NAMES[name]}")
    for result in module.run(arguments.quick, arguments.seeds):
        print(result, flush=True)
