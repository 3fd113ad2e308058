"""What is wrong with a data folder, told before any time is spent on training. Nothing is changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from core.dataset.cache import PictureFile
from core.dataset.folder import Inspection, inspect, scan
from core.dataset.intake import (
    Copies,
    Dealt,
    Plan,
    class_names,
    copies_in,
    deal,
    left_out,
    too_many_unreadable,
)
from core.dataset.pixels import Pictures, Progress, prepare
from core.dataset.report import Finding, Level, Note, Report
from core.dataset.split import PARTS
from core.dataset.walk import NO_PICTURE
from core.errors import UserError
from core.text import count, readable, readable_path

# The largest class over the smallest: more than this, and accuracy alone misleads.
UNEVEN = 3.0
# Of all pictures: more than this in a crowd all alike, and the test part tells less than it seems to.
ALIKE_SHARE = 0.1
# A picture is enlarged much when its short side is less than this share of what is stored.
SMALL_SHARE = 0.5

_NOTES: dict[Note, tuple[Level, str, str]] = {
    "wrong suffix": ("note", "has a wrong suffix", "have a wrong suffix"),
    "animated": (
        "note",
        "is animated: its first frame is used",
        "are animated: first frames are used",
    ),
    "16-bit": (
        "note",
        "has more than 8 bits a colour: scaled",
        "have more than 8 bits a colour: scaled",
    ),
    "CMYK": ("note", "is in CMYK: converted", "are in CMYK: converted"),
    "alpha": ("note", "may be see-through: laid on white", "may be see-through: laid on white"),
    "rotated": (
        "note",
        "is turned by its EXIF: set upright",
        "are turned by their EXIF: set upright",
    ),
    "blank": ("warning", "is of one colour all over", "are of one colour all over"),
    "enlarged": ("note", "is much smaller than the rest", "are much smaller than the rest"),
}


def examine(data: Path, image_size: int, plan: Plan, on_progress: Progress) -> Report:
    """Read what is new or changed in `data`, as training at `image_size` would, and report.

    Raises:
        UserError: `data` is no folder that can be read, or there is nothing in it.
    """
    try:
        found = scan(data, without=plan.without)
    except UserError as problem:
        inspection = inspect(data, without=plan.without)
        if not inspection.classes:
            raise
        return _hopeless(inspection, problem)
    pictures = prepare(found, image_size, on_progress)
    dealt, forbidden = None, ""
    try:
        dealt = deal(found, pictures, plan)
    except UserError as error:
        forbidden = f"{error.title} {error.hint}"
    names = class_names(found)
    usable = [0] * len(names)
    for file in pictures.files:
        usable[file.label] += 1
    copies = copies_in(pictures)
    by_area = sorted((f.width * f.height, f.width, f.height) for f in pictures.files) or [(0, 0, 0)]
    counts = [dealt.manifest.counts(part) for part in PARTS] if dealt else []
    return Report(
        images=len(pictures.files),
        classes=dict(zip(names, usable, strict=True)),
        left_out=left_out(found, pictures, dealt.manifest if dealt else None),
        duplicates=copies.duplicates,
        near_copies=copies.near_copies,
        in_two_classes=copies.in_two_classes,
        leaked=dealt.leaked if dealt else 0,
        parts=list(zip(*counts, strict=True)),
        dealt=[*found.dealt],
        channels=pictures.channels,
        stored_size=pictures.stored_size,
        smallest=by_area[0][1:],
        median=by_area[len(by_area) // 2][1:],
        largest=by_area[-1][1:],
        gray=sum(file.gray for file in pictures.files),
        findings=list(_findings(pictures, copies, names, usable, dealt)),
        trainable=dealt is not None,
        problem=forbidden,
    )


def _findings(
    pictures: Pictures,
    copies: Copies,
    names: list[str],
    usable: list[int],
    dealt: Dealt | None,
) -> Iterator[Finding]:
    """Yield what a person should know before training, the gravest first."""
    yield from _unreadable(pictures)
    yield from _copies(pictures, copies, dealt)
    yield from _alike(pictures)
    yield from _leak(dealt)
    yield from _balance(names, usable)
    yield from _thin(dealt)
    yield from _noted(pictures)


def _unreadable(pictures: Pictures) -> Iterator[Finding]:
    bad = [file.path for file in pictures.left_out if file.reason != NO_PICTURE]
    if text := too_many_unreadable(pictures):
        yield Finding(kind="unreadable", level="warning", text=text, files=bad)


def _copies(pictures: Pictures, copies: Copies, dealt: Dealt | None) -> Iterator[Finding]:
    if copies.mixed:
        lies = count(len(copies.mixed), "picture lies", "pictures lie")
        text = f"{lies} in more than one class, itself or as a near copy: one label must be wrong"
        yield Finding(
            kind="two labels", level="warning", text=text, groups=_paths(pictures, copies.mixed)
        )
    side = "kept on one side of the split"
    if copies.exact:
        more = count(copies.duplicates, "copy", "copies")
        text = f"{more} of {count(len(copies.exact), 'picture')}, byte for byte: {side}"
        yield Finding(kind="copies", level="note", text=text, groups=_paths(pictures, copies.exact))
    if copies.near:
        more = count(copies.near_copies, "near copy", "near copies")
        apart = dealt.apart if dealt else []
        how = side
        if dealt and apart:
            classes = ", ".join(apart)
            how = (
                f"too many in {classes} to be kept on one side there, so that {dealt.leaking:,}"
                f" of {len(dealt.manifest.test):,} test pictures have one in training"
            )
        text = f"{more} of {count(len(copies.near), 'picture')}, compressed anew or scaled: {how}"
        level: Level = "warning" if apart else "note"
        yield Finding(
            kind="near copies", level=level, text=text, groups=_paths(pictures, copies.near)
        )


def _alike(pictures: Pictures) -> Iterator[Finding]:
    crowded = pictures.index.crowded
    if crowded > ALIKE_SHARE * len(pictures.files):
        text = (
            f"{count(crowded, 'picture')} look much like many others, as frames of a film do: what trains"
            " may give away what tests; --group keeps together what names have in common"
        )
        yield Finding(kind="alike", level="warning", text=text)


def _leak(dealt: Dealt | None) -> Iterator[Finding]:
    if dealt is None or not dealt.leaked:
        return
    manifest = dealt.manifest
    if manifest.left_out:
        are = count(dealt.leaked, "picture is", "pictures are")
        text = f"{are} left out of the part they were dealt into: one that belongs with them is in another"
        files = [readable_path(path) for path, _ in manifest.left_out]
        yield Finding(kind="leak", level="warning", text=text, files=files)
    else:
        share = dealt.leaked / len(manifest.test)
        text = (
            f"dealt by picture alone, {dealt.leaked:,} of {len(manifest.test):,} test pictures"
            f" ({share:.1%}) would have had a copy in training"
        )
        yield Finding(kind="leak", level="note", text=text)


def _balance(names: list[str], usable: list[int]) -> Iterator[Finding]:
    most, least = max(usable), min(usable)
    if least and most / least >= UNEVEN:
        largest, smallest = names[usable.index(most)], names[usable.index(least)]
        text = (
            f"the classes are uneven: {most:,} of {largest}, {least:,} of {smallest};"
            f" always saying {largest} would be right in {most / sum(usable):.1%}"
        )
        yield Finding(kind="balance", level="warning", text=text)


def _thin(dealt: Dealt | None) -> Iterator[Finding]:
    if dealt is None:
        return
    counts = zip(dealt.manifest.classes, dealt.manifest.counts("validation"), strict=True)
    thin = [name for name, size in counts if not size]
    if thin:
        yield Finding(
            kind="thin",
            level="warning",
            text=f"no picture of {', '.join(thin)} is left to validate on",
        )


def _noted(pictures: Pictures) -> Iterator[Finding]:
    files: dict[Note, list[PictureFile]] = defaultdict(list)
    for file in pictures.files:
        for note in file.notes:
            files[note].append(file)
        if min(file.width, file.height) < SMALL_SHARE * pictures.stored_size:
            files["enlarged"].append(file)
    for note, (level, one, many) in _NOTES.items():
        if paths := [readable_path(file.path) for file in files[note]]:
            text = f"{count(len(paths), 'picture')} {one if len(paths) == 1 else many}"
            yield Finding(kind=note, level=level, text=text, files=paths)


def _paths(pictures: Pictures, groups: list[list[int]]) -> list[list[str]]:
    return [[readable_path(pictures.files[row].path) for row in rows] for rows in groups]


def _hopeless(inspection: Inspection, problem: UserError) -> Report:
    """Return the report on a folder whose names alone forbid training: no picture was read."""
    return Report(
        images=inspection.pictures,
        classes={readable(found.name): found.pictures for found in inspection.classes},
        left_out=[],
        duplicates=0,
        trainable=False,
        problem=f"{problem.title} {problem.hint}",
    )
