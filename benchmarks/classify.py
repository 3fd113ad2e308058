"""What classifying promises, measured: speed beside a plain script, and what hostile bytes can do.

    python -m benchmarks.classify [--only warm,folder,...] [--model M] [--pictures DIR] [--json]

Without a model it draws the built-in example and trains on it for three epochs. Ratios are taken side
by side in one run, each taking turns, as medians. Prints one table, or with --json an object a row;
exits 1 where a promise does not hold. All servers are on loopback.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import classify_kinds, classify_robust, classify_speed
from benchmarks.classify_row import Case, Row

ROOT = Path(__file__).resolve().parent.parent
ROWS: dict[str, Callable[[Case], Coroutine[None, None, list[Row]]]] = {
    "warm": classify_speed.warm,
    "folder": classify_speed.folder,
    "first": classify_speed.first,
    "servers": classify_robust.servers,
    "mutations": classify_robust.mutations,
    "kinds": classify_kinds.kinds,
    "escape": classify_robust.escape,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", default=",".join(ROWS), help=f"of {', '.join(ROWS)}")
    parser.add_argument("--model", type=Path, help="a model file, or a trained data folder")
    parser.add_argument("--pictures", type=Path, help="pictures of the kind it was trained on")
    parser.add_argument("--number", type=int, default=2000, help="pictures of the folder row")
    parser.add_argument("--rounds", type=int, default=5, help="turns of the slow comparisons")
    parser.add_argument("--mutations", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        example(chosen, Path(folder)) as (model, pictures),
    ):
        case = Case(
            model=model,
            pictures=pictures,
            folder=Path(folder),
            number=chosen.number,
            rounds=chosen.rounds,
            mutations=chosen.mutations,
        )
        kept = True
        for name in chosen.only.split(","):
            for row in asyncio.run(ROWS[name](case)):
                print(json.dumps(row._asdict()) if chosen.json else row.line, flush=True)
                kept &= row.kept
    return 0 if kept else 1


@contextmanager
def example(chosen: argparse.Namespace, folder: Path) -> Iterator[tuple[Path, Path]]:
    """Give a model and pictures: those that were named, or an example of its own."""
    if chosen.model:
        data = chosen.model if chosen.model.is_dir() else chosen.model.parent
        yield chosen.model, chosen.pictures or data
        return
    data = folder / "example"
    for words in (
        ["demo", str(data), "--images", "600"],
        ["train", str(data), "--image-size", "64", "--epochs", "3"],
    ):
        program = [sys.executable, str(ROOT / "run_tui.py"), *words]
        subprocess.run(program, stdout=subprocess.DEVNULL, check=True)
    yield data, data


if __name__ == "__main__":
    sys.exit(main())
