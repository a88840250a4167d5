"""Starting and ending worker processes."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path


def start_worker(threads: int) -> subprocess.Popen[bytes]:
    """A worker process of lower priority that imports `explorer` from where this module is."""
    root = str(Path(__file__).resolve().parents[2])
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        environment[name] = str(threads)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "explorer.jobs.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        creationflags=getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)
        | getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


def end_worker(process: subprocess.Popen[bytes]) -> str:
    """Make sure that a worker has ended, and say in a sentence how it did."""
    assert process.stdin
    assert process.stdout
    with contextlib.suppress(OSError):
        process.stdin.close()
    try:
        code = process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    process.stdout.close()
    if code in (-9, -15):
        how = f"was stopped from outside (signal {-code}; the machine may have run out of memory)"
    elif code < 0:
        how = f"crashed (signal {-code})"
    else:
        how = f"ended unexpectedly (exit code {code})"
    return f"The worker process {how}. What it had sent last is kept: you can start again."
