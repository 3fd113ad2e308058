"""The intake, measured: scan, doctor, decoding, the second time, copies kept together, data untouched.

    python -m benchmarks.intake [DATA] [--rounds 5] [--files 1000000] [--json]

DATA is a folder of class folders with JPEG pictures, of about 10,000 small ones; without it faces are
drawn. Ratios are medians over rounds in which both programs take turns, each a process of its own, its
start counted, with a cache of its own that is empty. Prints a table and, with --json, a line of JSON; exits 1
where a promise does not hold.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from core.dataset import intake
from core.dataset.copies import several
from core.dataset.demo import write_demo
from core.dataset.folder import scan
from core.dataset.intake import Plan
from core.dataset.pixels import prepare
from core.dataset.split import PARTS
from core.files import read_bytes

ROOT = Path(__file__).resolve().parent.parent
PLAN = Plan(split=80, seed=0)
IMAGE_SIZE = 224
STORED = 256
PHOTOS = 300
PLANTED_SHARE = 0.05

_SCAN = """
import resource, sys, time
from pathlib import Path
from core.dataset.folder import scan
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before, began = peak(), time.perf_counter()
found = scan(Path(sys.argv[1]))
seconds, files = time.perf_counter() - began, sum(map(len, found.files))
print(files / seconds, (peak() - before) / files)
"""

_AGAIN = """
import sys, time
from pathlib import Path
from core.dataset.doctor import examine
from core.dataset.intake import Plan
began = time.perf_counter()
report = examine(Path(sys.argv[1]), 224, Plan(split=80, seed=0), lambda done, total: None)
print(time.perf_counter() - began, report.images)
"""


class Row(NamedTuple):
    """A line of the table: what, its figure, whether that is as promised."""

    what: str
    figure: str
    kept: bool
    value: float


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        data = chosen.data or drawn_faces(place / "drawn")
        rows += scanning(place / "many", chosen.files)
        rows.append(
            against_a_loop("doctor + decode, small pictures, cold", data, chosen.rounds, 1.6)
        )
        photos = write_photos(data, place / "photos")
        rows.append(
            against_a_loop(f"{PHOTOS} JPEGs of 1024×1024 and more", photos, chosen.rounds, 2.5)
        )
        rows += second_time(data, place, chosen.rounds)
        rows += planted(data, place / "planted", place)
        rows += untouched(data, place)
    for row in rows:
        print(f"{'kept ' if row.kept else 'NOT  '} {row.what:<52} {row.figure}")
    if chosen.json:
        print(json.dumps({"benchmark": "intake"} | {row.what: row.value for row in rows}))
    return 0 if all(row.kept for row in rows) else 1


def drawn_faces(folder: Path) -> Path:
    """Write 10,000 drawn faces as small gray JPEGs."""
    for paths in write_demo(folder, 10_000).values():
        for path in paths:
            Image.open(path).convert("L").resize((48, 48)).save(path.with_suffix(".jpg"))
            path.unlink()
    return folder


def scanning(folder: Path, files: int) -> list[Row]:
    """Scan so many empty files, ten classes of them, in a process of its own."""
    for number in range(10):
        (folder / f"class_{number}").mkdir(parents=True)
        for i in range(files // 10):
            os.close(os.open(folder / f"class_{number}" / f"img_{i:07}.jpg", os.O_CREAT))
    rates, memory = [], []
    for _ in range(3):
        rate, used = map(float, python("-c", _SCAN, str(folder)).split())
        rates.append(rate)
        memory.append(used)
    shutil.rmtree(folder)
    rate, used = statistics.median(rates), statistics.median(memory)
    return [
        Row(
            f"scan of {files:,} empty files", f"{rate:,.0f} files/s (≥ 200,000)", rate >= 2e5, rate
        ),
        Row("memory of the scan", f"{used:.0f} bytes a file (≤ 200)", used <= 200, used),
    ]


def write_photos(data: Path, folder: Path) -> Path:
    """Write colour JPEGs of 1,024 to 1,536 pixels a side with the noise of a sensor, from pictures of `data`."""
    noise = np.random.default_rng(0)
    for name in sorted(path.name for path in data.iterdir() if path.is_dir())[:2]:
        (folder / name).mkdir(parents=True)
        for i, path in enumerate(sorted((data / name).iterdir())[: PHOTOS // 2]):
            width, height = 1024 + 256 * (i % 3), 1024 + 128 * (i % 2)
            small = Image.open(path).convert("L").resize((width, height), Image.Resampling.BICUBIC)
            levels = np.asarray(small, np.float32)[..., None] * noise.uniform(0.75, 1.15, 3)
            grain = noise.normal(0, 3, (height, width, 1)) + noise.normal(
                0, 1.5, (height, width, 3)
            )
            photo = np.clip(levels + grain, 0, 255).astype(np.uint8)
            Image.fromarray(photo).save(folder / name / f"{i:04}.jpg", quality=90)
    return folder


def against_a_loop(what: str, data: Path, rounds: int, promised: float) -> Row:
    """Measure the doctor with an empty cache against `benchmarks.plain_loop`, taking turns."""
    ours, plain = [], []
    for turn in range(rounds + 1):
        with empty_cache() as environment:
            taken = timed(lambda env=environment: doctor(data, env))  # type: ignore[misc]
        loop = timed(lambda: python("-m", "benchmarks.plain_loop", str(data), str(STORED)))
        # The first turn fills the page cache and is not counted.
        if turn:
            ours.append(taken)
            plain.append(loop)
    a, b = statistics.median(ours), statistics.median(plain)
    figure = f"{b / a:.2f} × a plain Pillow loop (≥ {promised}; {a:.2f} s, {b:.2f} s)"
    return Row(what, figure, b / a >= promised, b / a)


def second_time(data: Path, place: Path, rounds: int) -> list[Row]:
    """Measure scan, doctor, split and finding the cache on an unchanged folder."""
    environment = os.environ | {"XDG_CACHE_HOME": str(place / "cache")}
    doctor(data, environment)
    inside = [
        float(python("-c", _AGAIN, str(data), env=environment).split()[0]) for _ in range(rounds)
    ]
    command = [timed(lambda: verb("doctor", data, environment)) for _ in range(rounds)]
    a, b = statistics.median(inside), statistics.median(command)
    return [
        Row(
            "second run, unchanged: scan + doctor + split + cache",
            f"{a:.2f} s (≤ 0.5)",
            a <= 0.5,
            a,
        ),
        Row("the same as a command, Python's start and all", f"{b:.2f} s", True, b),
    ]


def planted(data: Path, folder: Path, place: Path) -> list[Row]:
    """Plant altered copies of test pictures among the rest, deal anew, and see on which side they fall."""
    shutil.copytree(data, folder)
    os.environ["XDG_CACHE_HOME"] = str(place / "cache")
    manifest = deal(folder).dealt.manifest
    chosen = random.Random(0).sample(manifest.test, round(PLANTED_SHARE * len(manifest.test)))
    copies = {kind: plant(folder, kind, [m.path for m in chosen]) for kind in KINDS}
    taken = deal(folder)
    side = {m.path: part for part in PARTS for m in taken.dealt.manifest.part(part)}
    rows = []
    for kind, pairs in copies.items():
        share = sum(side[a] == side[b] for a, b in pairs) / len(pairs)
        least = 1.0 if kind == "byte for byte" else 0.95
        figure = f"{share:.1%} of {len(pairs)} on one side (≥ {least:.0%})"
        rows.append(Row(f"planted copies: {kind}", figure, share >= least, share))
    return [*rows, strangers(deal(data))]


def plant(folder: Path, kind: str, paths: list[str]) -> list[tuple[str, str]]:
    """Write an altered copy of each of `paths`; return the pairs (picture, copy)."""
    pairs = []
    for path in paths:
        name, _, file = path.rpartition("/")
        copy = f"{name}/planted {kind} {file}"
        KINDS[kind](folder / path, folder / copy)
        pairs.append((path, copy))
    return pairs


def compressed(quality: int) -> Callable[[Path, Path], object]:
    return lambda source, copy: Image.open(source).save(copy, "JPEG", quality=quality)


def scaled(how: Image.Resampling, quality: int) -> Callable[[Path, Path], object]:
    def save(source: Path, copy: Path) -> None:
        image = Image.open(source)
        size = round(0.9 * image.width), round(0.9 * image.height)
        image.resize(size, how).save(copy, "JPEG", quality=quality)

    return save


KINDS: dict[str, Callable[[Path, Path], object]] = {
    "byte for byte": shutil.copyfile,
    "JPEG quality 30": compressed(30),
    "JPEG quality 60": compressed(60),
    "JPEG quality 95": compressed(95),
    "scaled by 0.9, bilinear": scaled(Image.Resampling.BILINEAR, 75),
    "scaled by 0.9, Lanczos": scaled(Image.Resampling.LANCZOS, 90),
    "scaled by 0.9, nearest": scaled(Image.Resampling.NEAREST, 90),
}


def strangers(taken: intake.Intake) -> Row:
    """Count the pairs that the groups join though their bytes differ, real near copies among them."""
    members, groups = taken.pictures.members, taken.dealt.groups
    joined = sum(len(rows) * (len(rows) - 1) // 2 for rows in several(groups))
    exact = several([member.digest for member in members])
    joined -= sum(len(rows) * (len(rows) - 1) // 2 for rows in exact)
    pairs = len(members) * (len(members) - 1) // 2
    figure = (
        f"{joined / pairs:.5%} of {pairs:,} pairs (≤ 0.1 %; {joined} pairs, near copies among them)"
    )
    return Row("pictures of different bytes joined", figure, joined / pairs <= 1e-3, joined / pairs)


def deal(data: Path) -> intake.Intake:
    found = scan(data)
    pictures = prepare(found, IMAGE_SIZE, lambda done, total: None)
    return intake.Intake(scan=found, pictures=pictures, dealt=intake.deal(found, pictures, PLAN))


def untouched(data: Path, place: Path) -> list[Row]:
    """Have the doctor read all of the data, and tell whether anything changed or was asked to change."""
    tracer = shutil.which("strace")
    log = place / "strace"
    calls = "trace=%file,ftruncate,fchmod,fchown,futimesat,utimensat"
    traced = [tracer, "-f", "-qq", "-e", calls, "-o", str(log)] if tracer else []
    before = fingerprint(data)
    with empty_cache() as environment:
        doctor = [
            sys.executable,
            "-m",
            "core.worker",
            "doctor",
            str(data),
            str(IMAGE_SIZE),
            "80",
            "0",
        ]
        subprocess.run(
            [*traced, *doctor], check=True, stdout=subprocess.DEVNULL, cwd=ROOT, env=environment
        )
    same = fingerprint(data) == before
    rows = [
        Row("data folder before and after", "the same" if same else "CHANGED", same, float(same))
    ]
    if not tracer:
        return [
            *rows,
            Row("calls that could change it", "not measured: no strace here", True, -1.0),
        ]
    harm = [line for line in log.read_text(errors="replace").splitlines() if harmful(line, data)]
    figure = f"{len(harm)} of {sum(1 for _ in log.open('rb')):,} calls (0)"
    return [*rows, Row("calls that could change it", figure, not harm, float(len(harm)))]


def harmful(line: str, data: Path) -> bool:
    """Tell whether a line of strace is a call that could change something in `data`."""
    if str(data) not in line:
        return False
    call = line.split(None, 1)[1].partition("(")[0]
    reads = ("stat", "lstat", "fstat", "newfstatat", "statx", "readlink", "readlinkat", "access")
    if call in (*reads, "execve", "getcwd", "chdir", "faccessat", "faccessat2", "statfs"):
        return False
    opens = call in ("open", "openat")
    return not opens or any(flag in line for flag in ("O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"))


def fingerprint(data: Path) -> str:
    """Return a hash over every name, kind, byte and time below `data`, that of a file's reading too."""
    whole = hashlib.blake2b(digest_size=16)
    for path in sorted([data, *data.rglob("*")]):
        status = path.lstat()
        times = status.st_mtime_ns, status.st_ctime_ns, status.st_atime_ns if path.is_file() else 0
        whole.update(os.fsencode(path))
        whole.update(repr((status.st_mode, status.st_size, times)).encode())
        if path.is_file():
            whole.update(read_bytes(path, 2**40))
    return whole.hexdigest()


@contextmanager
def empty_cache() -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        yield os.environ | {"XDG_CACHE_HOME": folder}


def doctor(data: Path, environment: dict[str, str]) -> None:
    """Have the worker examine `data`, as the app and the command do."""
    python("-m", "core.worker", "doctor", str(data), str(IMAGE_SIZE), "80", "0", env=environment)


def verb(name: str, data: Path, environment: dict[str, str]) -> None:
    python("run_tui.py", name, str(data), env=environment)


def python(*words: str, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )
    return done.stdout


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
