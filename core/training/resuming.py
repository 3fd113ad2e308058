"""Whether a run can go on where it stopped: the same pictures, the same kind of input, how exactly."""

from __future__ import annotations

import msgspec

from core.dataset.intake import Intake
from core.dataset.split import PARTS, Manifest
from core.errors import RunFailedError
from core.runs import events as ev
from core.text import count, readable_path, safe_text
from core.training.learner import Origin
from core.training.loop import Say


def known_pictures(split: bytes, intake: Intake, say: Say) -> Manifest:
    """Return the deal `split` of the run that goes on; pictures that are new since then are left out.

    Raises:
        RunFailedError: pictures of the run are gone or changed.
    """
    try:
        manifest = msgspec.json.decode(split, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _other("The run's list of pictures is damaged.") from error
    found = {member.path: member.digest for member in intake.pictures.members}
    listed = [member for part in PARTS for member in manifest.part(part)]
    gone = [member.path for member in listed if found.get(member.path) != member.digest]
    if gone:
        pictures = count(len(gone), "picture of this run is", "pictures of this run are")
        title = f"{pictures} gone or changed, such as {readable_path(gone[0])}."
        raise _other(f"{title} Without them it would learn something else.")
    left_out = {path for path, _ in manifest.left_out}
    new = len(found.keys() - {member.path for member in listed} - left_out)
    if new:
        pictures = count(new, "picture is", "pictures are")
        text = f"{pictures} new since the run began and left out: it goes on with its own"
        say(ev.Note(level="warning", text=text))
    return manifest


def check_origin(before: Origin, now: Origin, gpu: bool, say: Say) -> None:
    """Say where the result may differ in the last digits from that of a run without a break.

    Raises:
        RunFailedError: the network would see other pictures than before.
    """
    if before.split_hash != now.split_hash:
        raise _other("The run's list of pictures is not the one that it began with.")
    if (before.channels, before.stored_size) != (now.channels, now.stored_size):
        raise _other(
            "New pictures have changed how all are stored: in colour or gray, and how large."
        )
    changed = []
    if before.device != now.device:
        changed.append(f"{before.device} then, {now.device} now")
    if before.precision != now.precision:
        changed.append(f"{before.precision} then, {now.precision} now")
    changed += [
        f"{name} {before.versions.get(name)} then, {version} now"
        for name, version in now.versions.items()
        if before.versions.get(name) != version
    ]
    if changed:
        text = f"the same order of pictures, but the last digits may differ: {'; '.join(changed)}"
        say(ev.Note(level="warning", text=safe_text(text)))
    elif gpu:
        text = "the same order of pictures; on a GPU the last digits may differ"
        say(ev.Note(level="info", text=text))


def _other(title: str) -> RunFailedError:
    return RunFailedError(
        title, "Put the pictures back as they were, then resume again; or train anew."
    )
