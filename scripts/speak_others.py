"""Speech of synthesisers that the model never met, flite and espeak-ng, to measure how it clones them.

apt install flite espeak-ng
python scripts/speak_others.py build/speech/others     # a folder for each voice, eight sentences in it
"""

import argparse
import subprocess
from pathlib import Path

SENTENCES = """The harbour was quiet, and only one boat came in.
She counted the money twice before she paid.
There is a small bakery at the corner of our street.
My brother never learned how to swim.
Tomorrow it will rain in the north and be sunny in the south.
The doctor told him to rest for a week.
Which of these two roads leads to the castle?
We heard music from the house across the garden.""".splitlines()
FLITE = ("awb", "kal", "rms", "slt")
ESPEAK = (
    *("en-us+m1", "en-us+m3", "en-us+m7", "en-us+f2", "en-us+f4", "en-us+f5"),
    *("en-gb", "en-gb-scotland", "en-029", "en-us+klatt", "en-us+croak", "en-us+whisper"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    for voice in (*FLITE, *ESPEAK):
        folder = given.folder / voice.replace("+", "-")
        folder.mkdir(parents=True, exist_ok=True)
        for k, sentence in enumerate(SENTENCES):
            target = str(folder / f"{k}.wav")
            if voice in FLITE:
                command = ["flite", "-voice", voice, "-t", sentence, "-o", target]
            else:
                command = ["espeak-ng", "-v", voice, "-w", target, sentence]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
