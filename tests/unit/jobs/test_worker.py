import json
import os
import subprocess
import sys
from pathlib import Path

from explorer.jobs.events import END, Event, encode, read

ROOT = Path(__file__).parents[3]


def test_what_a_worker_says_of_a_failed_task_is_a_line_of_the_log_without_its_text():
    worker = subprocess.Popen(
        [sys.executable, "-P", "-m", "explorer.jobs.worker"],
        env=os.environ
        | {"DIFFUSION_EXPLORER_LOGS": "json", "PYTHONPATH": f"{ROOT}{os.pathsep}{Path(__file__).parent}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    spec = encode(Event("run", {"target": "job_tasks:fail", "params": {}}))
    worker.stdin.write(spec)
    worker.stdin.flush()
    while (event := read(worker.stdout)).kind != END:
        pass
    worker.stdin.close()
    (line,) = map(json.loads, worker.stderr.read().splitlines())
    worker.stdout.close()
    worker.stderr.close()
    assert worker.wait(60) == 0
    kind, _, text = event.data["error"].removeprefix("The job failed: ").partition(". The server's")[0].partition(": ")
    assert line["error"] == kind
    assert line["message"] == "A task failed."
    assert line["at"][-1].endswith(" fail")
    assert text
    assert text not in json.dumps(line)
