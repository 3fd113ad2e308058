"""From a data folder to dealt pictures: what training and the doctor do alike before anything else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.config import TrainConfig, names_in
from core.dataset import copies, split
from core.dataset.folder import Scan, scan
from core.dataset.pixels import Pictures, Progress, prepare
from core.dataset.split import Manifest, Member, UndealableError
from core.dataset.walk import NO_PICTURE, LeftOutFile
from core.errors import UserError
from core.text import count, native, readable, readable_path

UNREADABLE_SHARE = 0.05


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How to deal: percent to train on, seed, what in the names keeps pictures together, and without whom."""

    split: int
    seed: int
    group: str | None = None
    without: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: TrainConfig) -> Plan:
        """Return the plan that a run's settings mean."""
        return cls(
            split=config.split,
            seed=config.seed,
            group=config.group,
            without=names_in(config.without),
        )


@dataclass(frozen=True, kw_only=True)
class Dealt:
    """Who is in which part, and in which group each picture is.

    `apart` names the classes in which near copies were too many to be kept together, `leaking` is how
    many test pictures have a near copy in training for that, `leaked` as in the report.
    """

    manifest: Manifest
    groups: list[int]
    apart: list[str]
    leaked: int
    leaking: int


@dataclass(frozen=True, kw_only=True)
class Intake:
    """A data folder, read and dealt."""

    scan: Scan
    pictures: Pictures
    dealt: Dealt

    @property
    def left_out(self) -> list[LeftOutFile]:
        """All that is not trained on, with the reason; paths are for people."""
        return left_out(self.scan, self.pictures, self.dealt.manifest)


def left_out(found: Scan, pictures: Pictures, manifest: Manifest | None) -> list[LeftOutFile]:
    """Return all that is not trained on, with the reason; paths are for people."""
    by_name = [LeftOutFile(readable(file.path), file.reason) for file in found.left_out]
    digests = {file.path: file.digest for file in pictures.files}
    doubles = [
        LeftOutFile(
            readable_path(path),
            ("is a copy of " if digests[path] == digests[keeper] else "belongs together with ")
            + readable_path(keeper),
        )
        for path, keeper in (manifest.left_out if manifest else ())
    ]
    return [*by_name, *pictures.left_out, *doubles]


def too_many_unreadable(pictures: Pictures) -> str:
    """Return a warning where so many files that look like pictures are none that somebody should look."""
    bad = sum(file.reason != NO_PICTURE for file in pictures.left_out)
    share = bad / max(bad + len(pictures.files), 1)
    if share <= UNREADABLE_SHARE:
        return ""
    return f"{share:.0%} of the pictures cannot be read: is the folder damaged?"


def take_in(
    data: Path,
    image_size: int,
    plan: Plan,
    on_scan: Callable[[int], None],
    on_decode: Progress,
) -> Intake:
    """Scan `data`, decode what is new in it, and deal it.

    Raises:
        UserError: it cannot be trained on.
    """
    found = scan(data, on_scan, without=plan.without)
    pictures = prepare(found, image_size, on_decode, to_train=True)
    return Intake(scan=found, pictures=pictures, dealt=deal(found, pictures, plan))


def deal(found: Scan, pictures: Pictures, plan: Plan) -> Dealt:
    """Deal the pictures, with copies, near copies and what the plan's pattern names kept together.

    In a class whose pictures are too much alike to be dealt so, as frames of one film, near copies are
    dealt one by one.

    Raises:
        UserError: nothing can be read, or a class has too few different pictures.
    """
    members = pictures.members
    if not members:
        raise _nothing(pictures)
    parts = [found.part(native(member.path)) for member in members] if found.parts else []
    names = class_names(found)
    alike = copies.names_by(plan.group, members) if plan.group is not None else []
    groups = kept = copies.grouped(members, pictures.near, alike)
    apart: set[int] = set()
    while True:
        try:
            manifest = split.deal(
                str(found.root), names, members, kept, plan.split, plan.seed, parts
            )
            break
        except UndealableError as error:
            labels = set(error.labels)
            helps = any(_touches(members, pair, labels) for pair in pictures.near)
            if labels <= apart or not helps:
                raise _too_few_by(plan, error) from None
            apart |= labels
            near = [pair for pair in pictures.near if not _touches(members, pair, apart)]
            kept = copies.grouped(members, near, alike)
    if parts:
        leaked = len(manifest.left_out)
    else:
        leaked = split.leaked_by_chance(members, groups, len(names), plan.split, plan.seed)
    return Dealt(
        manifest=manifest,
        groups=groups,
        apart=[names[label] for label in sorted(apart)],
        leaked=leaked,
        leaking=split.leaking(manifest, members, groups) if apart else 0,
    )


def _touches(members: list[Member], pair: tuple[int, int], labels: set[int]) -> bool:
    return any(members[row].label in labels for row in pair)


def _too_few_by(plan: Plan, error: UndealableError) -> UserError:
    """Return the error that says so where it is the plan's pattern that leaves too few groups."""
    if plan.group is None:
        return error
    hint = f"Grouped by --group {plan.group}; {error.hint[:1].lower()}{error.hint[1:]}"
    return UserError(error.title.replace("different readable picture", "group"), hint)


def _nothing(pictures: Pictures) -> UserError:
    left_out = pictures.left_out
    named = [file for file in left_out if file.reason != NO_PICTURE] or left_out
    return UserError(
        f"None of the {count(len(named), 'picture')} can be read.",
        f"The first, {named[0].path}, {named[0].reason}.",
    )


def class_names(found: Scan) -> list[str]:
    """Return the names of the classes for people; two that read alike are told apart by a number."""
    names: dict[str, None] = {}
    for name in map(readable, found.classes):
        alike = sum(other == name or other.startswith(f"{name} (") for other in names)
        names[name if name not in names else f"{name} ({alike + 1})"] = None
    return list(names)


@dataclass(frozen=True)
class Copies:
    """The rows of pictures that are copies of one another, group by group.

    `exact` are equal byte for byte, `near` compressed anew or scaled, `mixed` all of both that lie in more
    than one class; of pictures equal byte for byte only the first is among `near`.
    """

    exact: list[list[int]]
    near: list[list[int]]
    mixed: list[list[int]]
    in_two_classes: int

    @property
    def duplicates(self) -> int:
        """How many pictures have the bytes of an earlier one."""
        return sum(len(rows) - 1 for rows in self.exact)

    @property
    def near_copies(self) -> int:
        """How many different pictures are near copies of an earlier one."""
        return sum(len(rows) - 1 for rows in self.near)


def copies_in(pictures: Pictures) -> Copies:
    """Return what is there more than once among `pictures`."""
    members = pictures.members
    exact = copies.several([member.digest for member in members])
    near = copies.several(copies.joined(len(members), pictures.near))
    all_of_them = copies.several(copies.grouped(members, pictures.near))

    def mixed(groups: list[list[int]]) -> list[list[int]]:
        return [rows for rows in groups if len({members[row].label for row in rows}) > 1]

    return Copies(exact, near, mixed(all_of_them), len(mixed(exact)))
