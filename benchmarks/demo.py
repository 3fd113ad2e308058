"""The main job without a screen: draw the example, train on it, classify two pictures from it.

`python -m benchmarks.demo DIR` runs the same commands that a person would type, prints what they
print, and ends with the time taken; it fails where the promise of the README does not hold.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROMISED_ACCURACY = 0.95
SETTINGS = ["--image-size", "64", "--epochs", "12"]


def main(folder: str) -> int:
    """Run the demo in `folder`, return the exit code."""
    began = time.monotonic()
    data = Path(folder).resolve()
    if not data.exists():
        run("demo", str(data))
    run("train", str(data), *SETTINGS)
    last = json.loads(run("watch", str(data), "--json", show=False).splitlines()[-1])
    for name in ("happy", "sad"):
        pictures = sorted((data / name).glob("*.png"))
        run("classify", str(data), str(pictures[0]))
    accuracy, seconds = last["test"]["accuracy"], time.monotonic() - began
    kept = accuracy >= PROMISED_ACCURACY
    print(
        f"test accuracy {accuracy:.1%}, {seconds:.0f} s in all; {'as' if kept else 'NOT as'} promised"
    )
    return 0 if kept else 1


def run(*words: str, show: bool = True) -> str:
    """Run a command of the program, return what it printed; end the demo where it fails."""
    if show:
        print(f"$ python run_tui.py {shlex.join(words)}", flush=True)
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "run_tui.py"), *words], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if show:
            print(line, end="", flush=True)
    if process.wait() != 0:
        sys.exit(process.returncode)
    return "".join(said)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
