"""`python -m benchmarks [names] [options]`: prints the tables, which are Markdown too."""

import argparse
import importlib
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

TABLES = {
    "quality": "time_to_quality",
    "throughput": "throughput",
    "images": "images",
    "pictures": "pictures",
    "speech": "speech",
    "app": "app",
}
ON_REQUEST = {name: name for name in ("load", "memory", "waiting", "browser", "cluster", "faults")}
NAMES = TABLES | ON_REQUEST


def whole(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text} is not from {least} to {most}")
        return int(text)

    return number


parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
when = f"all when none is given, but {', '.join(ON_REQUEST)}"
parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(NAMES)}; {when}")
parser.add_argument("--quick", action="store_true", help="one distribution, one seed, 3 s a peer")
parser.add_argument("--seeds", type=int, default=3, help="runs of which the median is reported")
parser.add_argument("--report", type=Path, help="a file for what is printed, too: benchmarks/load.md")
parser.add_argument("--threads", type=int, default=1, help="threads for torch; more gain nothing here")
app = parser.add_argument_group("app")
app.add_argument("--page", help="CPU of the sliders of this page alone, as in its address: geometry_lab")
load = parser.add_argument_group("load")
load.add_argument("--sessions", type=whole(1, 200), default=50, help="that move sliders, at most 200")
load.add_argument("--seconds", type=whole(5, 600), default=120, help="at most 600")
load.add_argument("--training", type=whole(0, 20), default=4, help="further sessions, that train, at most 20")
load.add_argument("--idle", type=whole(2, 500), default=200, help="that do nothing, or open one link, at most 500")
waiting = parser.add_argument_group("waiting")
waiting.add_argument("--students", type=whole(1, 200), default=12, help="that press Train at once, at most 200")
memory = parser.add_argument_group("memory")
memory.add_argument("--reruns", type=whole(2, 10_000), default=1000, help="on each page; of load: on all together")
arguments = parser.parse_args()
for unknown in set(arguments.names) - set(NAMES):
    parser.error(f"no table is called {unknown!r}; choose of {', '.join(NAMES)}")

import torch  # noqa: E402  after the arguments, so that --help is quick

torch.set_num_threads(arguments.threads)
versions = f"Python {platform.python_version()}, torch {torch.__version__}"
machine = f"{platform.machine()}, {os.cpu_count()} cores, load {psutil.getloadavg()[0]:.1f}"
told = [f"{versions}, {arguments.threads} threads, {machine}, {time.strftime('%Y-%m-%d %H:%M')}\n"]
print(*told)
for name in arguments.names or TABLES:
    module = importlib.import_module(f"benchmarks.{NAMES[name]}")
    for result in module.run(arguments):
        print(result, flush=True)
        told.append(result)
if arguments.report:
    command = f"`python -m benchmarks {shlex.join(sys.argv[1:])}`"
    arguments.report.write_text("\n".join([f"{command}\n", *told]).rstrip() + "\n")
