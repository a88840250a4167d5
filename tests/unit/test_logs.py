import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAID = """
import logging, sys, threading, warnings
from explorer import logs

logs.begin()
logs.tell("job ended", task="training", seconds=1.5)
logging.getLogger("somebody.else").warning("%d of %s", 3, "four")
print("one\\ntwo", end="")
print()
print("of two threads", file=sys.stderr)
warnings.warn("old")
def fails(secret):
    raise ValueError(secret)
try:
    fails("what Ada typed")
except ValueError:
    logging.getLogger("a").exception("It failed.")
thread = threading.Thread(target=fails, args=["what Ada typed"])
thread.start()
thread.join()
fails("what Ada typed")
"""


def test_every_line_is_an_object_that_tells_what_happened_and_not_what_was_typed():
    ended = subprocess.run([sys.executable, "-c", SAID], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "Ada" not in ended.stderr
    told = [json.loads(line) for line in ended.stderr.splitlines()]
    assert all(line["time"].endswith("+00:00") for line in told)
    assert {"message": "job ended", "task": "training", "seconds": 1.5, "level": "info"}.items() <= told[0].items()
    messages = [line["message"] for line in told]
    assert messages[1:5] == ["3 of four", "one", "two", "of two threads"]
    assert "old" in messages[5]
    errors = [line for line in told if "error" in line]
    assert [line["message"] for line in errors] == [
        "It failed.",
        "A thread ended in an error.",
        "The process ends in an error.",
    ]
    assert {line["error"] for line in errors} == {"ValueError"}
    assert all(line["at"][-1].endswith(" fails") for line in errors)
