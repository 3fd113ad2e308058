"""What a run says, typed: one JSON object a line, the only thing that crosses from trainer to screen.

Every event carries `time`, seconds since 1970. Accuracies and probabilities are fractions of 1,
losses are mean cross-entropies in nats per picture.
"""

from __future__ import annotations

import time as _time
from typing import Literal

import msgspec

from core.config import Tier

PROTOCOL = 1

PulseLevel = Literal["good", "info", "warning"]
PulseKind = Literal[
    "learning",
    "diverged",
    "dead-units",
    "stuck",
    "slow",
    "spike",
    "one-class",
    "over-fitting",
    "loader-bound",
]


class Event(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="event",
    tag=lambda name: "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-"),
):
    """The base of all events; its JSON name is the class's name in kebab case."""

    time: float = msgspec.field(default_factory=lambda: round(_time.time(), 3))


class RunStarted(Event, frozen=True, kw_only=True):
    """The first event: which run this is, and where it computes."""

    run: str
    data: str
    epochs: int
    device: str
    device_name: str
    precision: str
    pid: int
    hostname: str = ""
    protocol: int = PROTOCOL
    versions: dict[str, str] = {}


class Preparing(Event, frozen=True, kw_only=True):
    """How far the work before the first step has come; `total` is 0 while it is not known."""

    stage: Literal["scan", "decode", "load", "certify"]
    done: int
    total: int


class Note(Event, frozen=True, kw_only=True):
    """A sentence for the log."""

    level: Literal["info", "warning", "error"]
    text: str


class LeftOut(Event, frozen=True, kw_only=True):
    """A file that looked like a picture and is not trained on, and why."""

    path: str
    reason: str


class DatasetReady(Event, frozen=True, kw_only=True):
    """What is trained on: class names in the order of the logits, pictures per part and class.

    `leaked` is how many test pictures a deal by picture alone would have put beside a copy in training;
    where `dealt` names the parts that the folder came dealt into, how many pictures were left out of
    their part for a copy in another.
    """

    classes: list[str]
    train: list[int]
    validation: list[int]
    test: list[int]
    left_out: int
    duplicates: int
    near_copies: int = 0
    leaked: int = 0
    dealt: list[str] = []
    channels: Literal[1, 3]
    stored_size: int
    split_hash: str


class TrainingStarted(Event, frozen=True, kw_only=True):
    """The sizes of the loop that begins now, and where its pixels lie.

    `usual_learning_rate` is what the recipe would have taken by itself, 0 where that was not said.
    `pixels` are bytes, `free` what the GPU had free, None without one; of several ranks it is the first that
    says so, and `tier` is where the training part lies.
    """

    image_size: int
    batch_size: int
    steps_per_epoch: int
    learning_rate: float
    usual_learning_rate: float = 0.0
    parameters: int
    tier: Tier
    pixels: int = 0
    free: int | None = None


class Step(Event, frozen=True, kw_only=True, gc=False):
    """The mean over the optimizer steps since the last such event; `step` counts from 1 over the run.

    `highest` is the loss of the step among them that had the highest, 0 where that is not known. `waiting` is
    the share of that time that went into getting batches ready, 0 to 1.
    """

    epoch: int
    step: int
    loss: float
    highest: float = 0.0
    accuracy: float
    learning_rate: float
    images_per_second: float
    waiting: float = 0.0


class Probe(msgspec.Struct, frozen=True):
    """One fixed validation picture and what the model says of it now."""

    path: str
    truth: str
    label: str
    confidence: float


class EpochEnded(Event, frozen=True, kw_only=True):
    """An epoch's results; `best` says that no earlier epoch validated as well or better.

    `predicted` counts the answers on the validation part per class; `dead` is the share of units in the
    worst hidden layer that no picture of one validation batch excites.
    """

    epoch: int
    step: int
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    images_per_second: float
    seconds: float
    best: bool
    best_accuracy: float
    probes: list[Probe] = []
    predicted: list[int] = []
    dead: float = 0.0


class Pulse(Event, frozen=True, kw_only=True):
    """How the learning goes, said when that changes: one sentence, and what one can do about it."""

    level: PulseLevel
    kind: PulseKind
    text: str
    hint: str = ""


class Saved(Event, frozen=True, kw_only=True):
    """The best weights so far are safe on disk."""

    path: str
    epoch: int


class Checkpointed(Event, frozen=True, kw_only=True):
    """All that is needed to go on after `step` steps, in `epoch`, is safe on disk.

    Writing took `seconds` in the background, of which training lost `cost`; a kill before the next
    checkpoint loses at most `at_risk` seconds of work.
    """

    epoch: int
    step: int
    seconds: float
    cost: float
    at_risk: float


class Resumed(Event, frozen=True, kw_only=True):
    """A new trainer goes on with the run after `step` steps, in `epoch`: what came later is done again.

    `step` 0 says that there is no checkpoint and the run begins anew. It follows on any other event,
    the last of the run included.
    """

    run: str
    epoch: int
    step: int


class Paused(Event, frozen=True, kw_only=True):
    """Training waits for `go`."""


class Continued(Event, frozen=True, kw_only=True):
    """Training goes on after a pause of `seconds`."""

    seconds: float


class Stopping(Event, frozen=True, kw_only=True):
    """A stop was taken up: `reason` says whose."""

    reason: Literal["stop", "stop-now", "patience", "signal", "time"]
    epoch: int


class Evaluated(Event, frozen=True, kw_only=True):
    """The test part, read once; `confusion[truth][answer]` counts pictures, `low`..`high` is the 95 % interval."""

    classes: list[str]
    confusion: list[list[int]]
    accuracy: float
    low: float
    high: float
    n: int
    loss: float
    precision: list[float]
    recall: list[float]
    f1: list[float]


class Certified(Event, frozen=True, kw_only=True):
    """A fresh process classified `n` test pictures with the saved file: what differed from training."""

    n: int
    same_label: int
    largest_difference: float
    passed: bool


class Accuracy(msgspec.Struct, frozen=True, kw_only=True):
    """An accuracy alone."""

    accuracy: float


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """An accuracy on `n` pictures with its 95 % interval."""

    accuracy: float
    low: float
    high: float
    n: int


class RunEnded(Event, frozen=True, kw_only=True):
    """The last event of a run that left a model, unless it is resumed."""

    run: str
    model: str
    seconds: float
    images_per_second: float
    epochs: int
    best_epoch: int
    validation: Accuracy
    test: Interval


class RunFailed(Event, frozen=True, kw_only=True):
    """The last event of a run that left no model, with the message that a person needs."""

    run: str
    title: str
    hint: str
    exit_code: int = 3


AnyEvent = (
    RunStarted
    | Preparing
    | Note
    | LeftOut
    | DatasetReady
    | TrainingStarted
    | Step
    | EpochEnded
    | Pulse
    | Saved
    | Checkpointed
    | Resumed
    | Paused
    | Continued
    | Stopping
    | Evaluated
    | Certified
    | RunEnded
    | RunFailed
)

# Whoever reads one of these may rely on it after a power cut.
SAFE = (Saved, Checkpointed, Resumed)

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(AnyEvent).decode
decode_lines = msgspec.json.Decoder(AnyEvent).decode_lines


def is_last(event: Event) -> bool:
    """Tell whether nothing can come after `event`, unless the run is resumed."""
    return isinstance(event, RunEnded | RunFailed)
