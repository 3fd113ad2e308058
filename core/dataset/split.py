"""Who trains and who tests: a seeded deal per class that keeps copies of one picture together."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Literal

import msgspec

from core.dataset.folder import LEAST_PER_CLASS, too_few

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")
# Of the training part, so that the best epoch is never chosen on the test part.
VALIDATION_FRACTION = 0.1


class Member(msgspec.Struct, frozen=True):
    """A picture of the manifest: relative path, index of its class, BLAKE2b of its bytes."""

    path: str
    label: int
    digest: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The whole deal, as it is kept in the run folder; its hash is in the model file."""

    data: str
    classes: list[str]
    seed: int
    split: int
    train: list[Member]
    validation: list[Member]
    test: list[Member]

    def part(self, part: Part) -> list[Member]:
        members: list[Member] = getattr(self, part)
        return members

    def counts(self, part: Part) -> list[int]:
        """Return the pictures per class in `part`."""
        labels = [member.label for member in self.part(part)]
        return [labels.count(k) for k in range(len(self.classes))]

    def encoded(self) -> bytes:
        return msgspec.json.encode(self)

    def digest(self) -> str:
        """Return the BLAKE2b of who is in which part, wherever the data folder lies."""
        parts = [self.classes, self.train, self.validation, self.test]
        return hashlib.blake2b(msgspec.json.encode(parts), digest_size=16).hexdigest()


def planned_parts(counts: Sequence[int], split: int) -> list[tuple[int, int, int]]:
    """Return (train, validation, test) per class for `counts` pictures a class, all different."""
    return [_sizes(count, split) for count in counts]


def deal(
    data: str, classes: list[str], members: Sequence[Member], split: int, seed: int
) -> Manifest:
    """Deal `members` into the three parts, `split` percent to training and validation together.

    Stratified: each class is dealt by itself. Pictures with the same digest form a group that goes to one
    part as a whole, with the class of its first member. The order of the deal is that of
    BLAKE2b(seed, digest), so it depends on what is in the files, not on their names.

    Raises:
        UserError: a class has fewer than `LEAST_PER_CLASS` different pictures.
    """
    parts: dict[Part, list[Member]] = {part: [] for part in PARTS}
    for name, of_class in zip(classes, groups_by_class(members, len(classes)), strict=True):
        if len(of_class) < LEAST_PER_CLASS:
            raise too_few(name, len(of_class))
        _deal_class(sorted(of_class, key=lambda group: _rank(seed, group)), split, parts)
    dealt = {part: sorted(parts[part], key=lambda member: member.path) for part in PARTS}
    return Manifest(data=data, classes=classes, seed=seed, split=split, **dealt)


def groups_by_class(members: Sequence[Member], classes: int) -> list[list[list[Member]]]:
    """Return for each class its groups of equal pictures, a group under the class of its first."""
    groups: dict[str, list[Member]] = defaultdict(list)
    for member in members:
        groups[member.digest].append(member)
    by_class: list[list[list[Member]]] = [[] for _ in range(classes)]
    for group in groups.values():
        by_class[group[0].label].append(group)
    return by_class


def count_copies(members: Sequence[Member]) -> tuple[int, int]:
    """Return how many pictures are copies of another, and how many lie in more than one class."""
    different = {member.digest for member in members}
    labelled = Counter(digest for digest, _ in {(m.digest, m.label) for m in members})
    return len(members) - len(different), sum(number > 1 for number in labelled.values())


def _deal_class(groups: list[list[Member]], split: int, parts: dict[Part, list[Member]]) -> None:
    """Fill test, then validation, with whole groups that fit; the rest, the largest too, trains."""
    _, validation, test = _sizes(sum(map(len, groups)), split)
    left = list(groups)
    wanted: tuple[tuple[Part, int, int], ...] = (("test", test, 2), ("validation", validation, 1))
    for part, size, to_leave in wanted:
        taken: set[int] = set()
        dealt = 0
        for place in reversed(range(len(left))):
            if dealt >= size or len(left) - len(taken) <= to_leave:
                break
            if dealt + len(left[place]) <= size:
                taken.add(place)
                dealt += len(left[place])
        # Where no group is small enough, the smallest is; no part is ever empty.
        taken = taken or {min(range(len(left)), key=lambda place: len(left[place]))}
        for place in sorted(taken, reverse=True):
            parts[part].extend(left[place])
        left = [group for place, group in enumerate(left) if place not in taken]
    for group in left:
        parts["train"].extend(group)


def _sizes(count: int, split: int) -> tuple[int, int, int]:
    test = min(max(round(count * (100 - split) / 100), 1), max(count - 2, 0))
    validation = min(max(round((count - test) * VALIDATION_FRACTION), 1), max(count - test - 1, 0))
    return count - test - validation, validation, test


def _rank(seed: int, group: list[Member]) -> bytes:
    return hashlib.blake2b(f"{seed}:{group[0].digest}".encode(), digest_size=8).digest()
