"""What hostile bytes can do: servers that misbehave, damaged pictures, a download that is stuck."""

from __future__ import annotations

import asyncio
import io
import os
import random
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from benchmarks.classify_row import Case, Row, forget_peak, peak, resident
from core.errors import UserError
from core.prediction.reading import Reader, Wanted
from core.prediction.sources import Source
from tests.core.hostile_server import BEHAVIOURS, OK, Server, answers, hangs
from tests.terminal.harness import Terminal, python

MIB = 2**20
DEADLINE = 3.0
WANTED = Wanted(stored_size=72, channels=1)


async def servers(case: Case) -> list[Row]:
    """Ask every server that misbehaves, by a real reader, and look at its clock and its memory."""
    buffer = io.BytesIO()
    Image.new("L", (64, 64)).save(buffer, "PNG")
    honest = Server(answers(OK % len(buffer.getvalue()) + buffer.getvalue()))
    slowest, fattest, wrong = 0.0, 0, []
    for name, behaviour in BEHAVIOURS.items():
        reader, server = Reader(DEADLINE), Server(behaviour.serve)
        # What any first address costs, httpx itself, is no growth.
        await reader.read(Source(honest.url), WANTED)
        assert reader.pid is not None
        before = resident(reader.pid)
        forget_peak(reader.pid)
        began = time.perf_counter()
        try:
            await reader.read(Source(server.url), WANTED)
            wrong.append(f"{name}: was read")
        except UserError as error:
            if behaviour.said not in error.title or not error.title.isprintable():
                wrong.append(f"{name}: {error.title}")
        slowest = max(slowest, time.perf_counter() - began)
        fattest = max(fattest, peak(reader.pid) - before)
        server.close()
        await reader.close()
    honest.close()
    count = len(BEHAVIOURS)
    said = f"{count - len(wrong)} of {count} " + "; ".join(wrong)
    late = slowest - DEADLINE
    return [
        Row(f"{count} hostile servers, each its own sentence", said, "all", not wrong),
        Row("  the slowest after the deadline", f"{late:+.2f} s", "≤ 1 s", late <= 1),
        Row("  most growth", f"{fattest / MIB:.0f} MiB", "≤ 64 MiB", fattest <= 64 * MIB),
    ]


async def mutations(case: Case) -> list[Row]:
    """Read damaged pictures from files, by two real readers."""
    seeds = _seeds()
    outcomes: Counter[str] = Counter()
    worst = [0.0, 0.0]
    with tempfile.TemporaryDirectory(dir=case.folder) as place:
        await asyncio.gather(
            *(
                _read_damaged(seeds, range(turn, case.mutations, 2), Path(place), outcomes, worst)
                for turn in range(2)
            )
        )
    dead = outcomes["reader died"]
    figure = f"{outcomes['read']:,} read, {outcomes['refused']:,} refused, {dead} readers died"
    return [
        Row(f"{case.mutations:,} damaged pictures", figure, "0 crashes", dead == 0),
        Row("  the slowest", f"{worst[0]:.2f} s", "≤ 5 s", worst[0] <= 5),
        Row("  the fattest reader", f"{worst[1] / MIB:.0f} MiB", "≤ 1 GiB", worst[1] <= 1024 * MIB),
    ]


async def _read_damaged(
    seeds: list[tuple[str, bytes]],
    numbers: range,
    place: Path,
    outcomes: Counter[str],
    worst: list[float],
) -> None:
    reader = Reader()
    for number in numbers:
        chance = random.Random(number)
        suffix, data = chance.choice(seeds)
        path = place / f"{number}{suffix}"
        path.write_bytes(_damaged(data, chance))
        began = time.perf_counter()
        try:
            await reader.read(Source(str(path)), WANTED)
            outcomes["read"] += 1
        except UserError as error:
            died = "could not be read" in error.title or "took more than" in error.title
            outcomes["reader died" if died else "refused"] += 1
            if died:
                print(f"{number}: {error.title}")
        worst[0] = max(worst[0], time.perf_counter() - began)
        path.unlink()
        if number % 50 < 2 and reader.pid is not None:
            worst[1] = max(worst[1], peak(reader.pid))
    await reader.close()


def _damaged(data: bytes, chance: random.Random) -> bytes:
    """Return `data` with bytes changed, cut out, doubled, or its end missing."""
    damaged = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        # Headers decide the most: half of the damage goes there.
        at = chance.randrange(min(len(damaged), 128) if chance.random() < 0.5 else len(damaged))
        match chance.randrange(6):
            case 0:
                damaged[at] ^= 1 << chance.randrange(8)
            case 1:
                damaged[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 2:
                damaged[at : at + 4] = chance.randbytes(4)
            case 3:
                del damaged[at : at + chance.randrange(1, 40)]
            case 4:
                damaged[at:at] = damaged[at : at + chance.randrange(1, 200)]
            case _:
                del damaged[max(at, 8) :]
        if not damaged:
            damaged = bytearray(b"\0")
    return bytes(damaged)


def _seeds() -> list[tuple[str, bytes]]:
    """Return small pictures of all kinds that are read."""
    noise = np.random.default_rng(0)
    colour = Image.fromarray(noise.integers(0, 256, (60, 80, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    wide = Image.fromarray(np.asarray(colour.convert("L")).astype(np.uint16) * 257)
    given = [
        (colour, "jpg", {"exif": exif}),
        (colour, "jpg", {"progressive": True}),
        (colour.convert("CMYK"), "jpg", {}),
        (colour.convert("L"), "jpg", {}),
        (colour, "png", {"exif": exif}),
        (colour.convert("P"), "png", {"transparency": 3}),
        (colour.convert("RGBA"), "png", {}),
        (wide, "png", {}),
        (colour.convert("P"), "gif", {"save_all": True, "append_images": [colour.convert("P")]}),
        (colour, "webp", {"lossless": True}),
        (colour.convert("RGBA"), "webp", {}),
        (colour, "bmp", {}),
        (colour.convert("L"), "bmp", {}),
        *((colour, "tiff", {"compression": f"tiff_{name}"}) for name in ("lzw", "jpeg", "deflate")),
        (wide, "tiff", {}),
        (colour.convert("1"), "tiff", {"compression": "group4"}),
        (colour, "avif", {}),
    ]
    seeds = []
    for image, kind, options in given:
        buffer = io.BytesIO()
        name = {"jpg": "jpeg"}.get(kind, kind)
        image.save(buffer, name, **options)  # type: ignore[arg-type]
        seeds.append((f".{kind}", buffer.getvalue()))
    return seeds


async def escape(case: Case) -> list[Row]:
    """Press escape during a download that is stuck, in the real program on a real terminal."""
    return await asyncio.to_thread(_escape, case)


def _escape(case: Case) -> list[Row]:
    times, left = [], 0
    environment = {"XDG_STATE_HOME": str(case.folder / "state"), "HOME": str(case.folder)}
    command = python("run_tui.py", "--at", str(case.folder))
    with Terminal(command, environment=environment) as terminal:
        terminal.wait_for("Train a model", 60)
        terminal.send("2")
        terminal.wait_for("Which model?", 60)
        terminal.send(f"{case.model}\r")
        terminal.wait_for("model of", 60)
        for _ in range(case.rounds):
            server = Server(hangs)
            terminal.send(f"{server.url}\r")
            assert server.asked.wait(60)
            terminal.wait_for("reading")
            (reader,) = _readers(terminal)
            began = time.perf_counter()
            terminal.send("\x1b")
            terminal.wait_for("nothing was classified")
            times.append(time.perf_counter() - began)
            # The words may be there before the kernel has cleared away what was killed.
            left += len(psutil.wait_procs([reader], timeout=0.2)[1])
            server.close()
        os.kill(terminal.process.pid, 15)
        terminal.wait_exit()
    slowest = 1000 * max(times)
    return [
        Row(
            "escape during a stuck download",
            f"{slowest:.0f} ms at most",
            "≤ 200 ms",
            slowest <= 200,
        ),
        Row("  readers left", str(left), "0", left == 0),
    ]


def _readers(terminal: Terminal) -> list[psutil.Process]:
    return [child for child in terminal.children() if child.cmdline()[-1:] == ["read"]]
