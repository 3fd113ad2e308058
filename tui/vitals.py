"""The lines that tell how a run fares: its pulse, its probes, and how busy the machine is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from textual.content import Content

from core.engine import SURE, Device, Load
from core.runs import events as ev
from core.runs.heartbeat import SILENT_SECONDS
from core.runs.snapshot import LIVING, OBEYING, Snapshot
from core.text import duration
from tui.commands import key_of
from tui.words import NAME_WIDTH, column, meter, plain

GIB = 1024**3
BAR_WIDTH = 6
# What differs by less than this from what is shown is not worth a repaint.
LEAST_SHARE, LEAST_BYTES, LEAST_WATTS, LEAST_CORES = 0.03, 0.1 * GIB, 15.0, 0.3


def pulse(now: Snapshot, silent: float, key: Callable[[str], str] = key_of) -> Content:
    """Return how the learning goes in a sentence, or that a living run gives no sign of life.

    By `key` a command is called, which is named by its id.
    """
    if now.state not in LIVING:
        return Content("")
    stop = f"  {key('dashboard.stop')}: "
    if silent >= SILENT_SECONDS:
        # In steps, so that the line is not painted anew all the time.
        seconds = int(silent) // 5 * 5
        pid = f" (process {now.started.pid})" if now.started is not None else ""
        text = f"! No sign of life for {duration(seconds)}: the trainer{pid} was stopped,"
        return Content.assemble(
            (f"{text} or hangs on a disk or a driver.", "bold $text-warning"),
            (f"{stop}stop or end it", "bold $text-accent"),
        )
    if now.pulse is None:
        judged = now.training is not None and now.training.usual_learning_rate
        return Content.styled("· too early to tell" if judged else "", "$foreground 60%")
    return _verdict(now.pulse, stop if now.state in OBEYING else "")


def _verdict(said: ev.Pulse, stop: str) -> Content:
    if said.level == "good":
        return plain(f"◆ {said.text}", "$text-success")
    if said.level == "info":
        return plain(f"· {said.text} {said.hint}")
    return Content.assemble(
        plain(f"! {said.text}", "bold $text-warning"),
        " ",
        plain(said.hint),
        (f"{stop}stop" if stop else "", "bold $text-accent"),
    )


def speed(step: ev.Step) -> str:
    """Return how fast the steps go, and the share of that speed which waiting for batches leaves."""
    told = f"{step.images_per_second:,.0f} images/s"
    return (
        f"{told} · {1 - step.waiting:.0%}".replace("%", " % of full speed")
        if step.waiting
        else told
    )


def settled(before: Load | None, now: Load) -> Load:
    """Return `now` with each number that has hardly moved as it was before."""
    if before is None or len(before.gpus) != len(now.gpus):
        return now
    return replace(
        now,
        gpus=[_settled_gpu(a, b) for a, b in zip(before.gpus, now.gpus, strict=True)],
        cpu=_near(before.cpu, now.cpu, LEAST_SHARE),
        memory_used=_near(before.memory_used, now.memory_used, LEAST_BYTES),
        worker_cores=_near(before.worker_cores, now.worker_cores, LEAST_CORES),
        worker_memory=_near(before.worker_memory, now.worker_memory, LEAST_BYTES),
    )


def _settled_gpu(before: Device, now: Device) -> Device:
    return replace(
        now,
        busy=_near(before.busy, now.busy, LEAST_SHARE),
        memory_used=_near(before.memory_used, now.memory_used, LEAST_BYTES),
        watts=_near(before.watts, now.watts, LEAST_WATTS),
        celsius=_near(before.celsius, now.celsius, 2),
    )


Number = TypeVar("Number", float, int, float | None, int | None)


def _near(before: Number, now: Number, least: float) -> Number:
    if before is None or now is None:
        return now
    return before if abs(now - before) < least else now


def own_gpu(load: Load, run: ev.RunStarted) -> int | None:
    """Return the place of the GPU that `run` trains on, None for a run on the processor."""
    if not run.device.startswith("cuda") or not load.gpus:
        return None
    for place, gpu in enumerate(load.gpus):
        if run.pid in gpu.processes:
            return place
    # The driver may hide processes; the trainer counts from 0 what it was given.
    wanted = run.device.partition(":")[2]
    return min(int(wanted), len(load.gpus) - 1) if wanted.isascii() and wanted.isdigit() else 0


def meters(load: Load, run: ev.RunStarted, width: int, ascii_only: bool = False) -> Content:
    """Return how busy the machine is, as much of it as `width` holds: the run's GPU comes first."""
    place = own_gpu(load, run)
    heat: list[Content] = []
    cpu = Content.assemble(f"CPU {load.cpu * 100:.0f} % ", meter(load.cpu, BAR_WIDTH, ascii_only))
    parts = [cpu, Content(f"RAM {_gigabytes(load.memory_used, load.memory_total)}")]
    if load.worker_cores is not None and load.worker_memory is not None:
        used = f"{load.worker_cores:.1f} cores, {load.worker_memory / GIB:.1f} GB"
        parts.append(Content(f"trainer {used}"))
    if place is not None:
        gpu = load.gpus[place]
        heat = [Content(text) for text in _heat(gpu)]
        parts = [_busy(gpu, ascii_only), *parts]
    return joined([*parts, *heat], " · ", width)


def gpu_lines(load: Load, run: ev.RunStarted, ascii_only: bool = False) -> list[Content]:
    """Return a line for each GPU of the machine, the run's own marked."""
    own = own_gpu(load, run)
    return [
        Content(" · ").join(
            [
                Content.assemble(
                    "  ● " if place == own else "    ",
                    f"{place:>2} ",
                    column(gpu.name, 24).rstrip().ljust(24),
                    " ",
                    _busy(gpu, ascii_only),
                ),
                *(Content(text) for text in _heat(gpu)),
            ]
        )
        for place, gpu in enumerate(load.gpus)
    ]


def joined(parts: Sequence[Content], between: str, width: int) -> Content:
    """Return ` ` and the first of `parts` that fit into `width` cells beside one another."""
    shown = Content("")
    for part in parts:
        longer = shown + Content(between if shown.plain else " ") + part
        if longer.cell_length > width:
            break
        shown = longer
    return shown


def _busy(gpu: Device, ascii_only: bool) -> Content:
    said = Content("GPU")
    if gpu.busy is not None:
        said = Content.assemble(
            f"GPU {gpu.busy * 100:>2.0f} % ", meter(gpu.busy, BAR_WIDTH, ascii_only)
        )
    if gpu.memory_used is None or gpu.memory_total is None:
        return said
    return said + Content(f" {_gigabytes(gpu.memory_used, gpu.memory_total)}")


def _heat(gpu: Device) -> list[str]:
    watts = [f"{gpu.watts:.0f} W"] if gpu.watts is not None else []
    return watts + ([f"{gpu.celsius} C"] if gpu.celsius is not None else [])


def _gigabytes(used: int, total: int) -> str:
    return f"{used / GIB:.1f}/{total / GIB:.0f} GB"


def probe_words(probe: ev.Probe) -> Content:
    """Return what the model says of one picture: `?` where it is not sure, `✗` where it is wrong."""
    return Content.assemble(
        plain(probe.label, "", 14),
        f" {probe.confidence:.2f}",
        (" ?" if probe.confidence < SURE else "", "bold $text-warning"),
        (" ✗" if probe.label != probe.truth else "", "bold $text-error"),
    )


def probe_caption(probe: ev.Probe) -> Content:
    """Return the words under a probe's picture: the answer, whether it is right, and the truth if not."""
    right = probe.label == probe.truth
    mark = ("✓", "$text-success") if right else ("✗", "bold $text-error")
    truth = "" if right else f"\nis {plain(probe.truth, '', NAME_WIDTH).plain}"
    sure = "" if probe.confidence >= SURE else "\nnot sure"
    return Content.assemble(
        plain(probe.label, "bold", NAME_WIDTH),
        f"\n{probe.confidence:.2f} ",
        mark,
        (sure, "$text-warning"),
        (truth, "$foreground 60%"),
    )


def probes(now: Snapshot) -> Content:
    """Return what the model says of the few pictures that it is asked after each epoch."""
    if not now.probes:
        return Content("")
    answers = Content("   ").join([probe_words(probe) for probe in now.probes])
    return Content.assemble((" probes  ", "$foreground 60%"), answers)
