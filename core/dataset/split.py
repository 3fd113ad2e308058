"""Who trains and who tests: a seeded deal per class that keeps what belongs together on one side."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence

import msgspec

from core.dataset.folder import Part
from core.dataset.problems import too_few
from core.errors import UserError
from core.text import safe_text

PARTS: tuple[Part, ...] = ("train", "validation", "test")
# Of the training part, so that the best epoch is never chosen on the test part.
VALIDATION_FRACTION = 0.1


class Member(msgspec.Struct, frozen=True, gc=False):
    """A picture of the manifest: relative path, index of its class, BLAKE2b of its bytes."""

    path: str
    label: int
    digest: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The whole deal, as it is kept in the run folder; its hash is in the model file.

    `left_out` are pictures that trained in a folder dealt by somebody else, though they are copies of
    one that tests or validates there: (path, path of that one).
    """

    data: str
    classes: list[str]
    seed: int
    split: int
    train: list[Member]
    validation: list[Member]
    test: list[Member]
    left_out: list[tuple[str, str]] = []

    def part(self, part: Part) -> list[Member]:
        members: list[Member] = getattr(self, part)
        return members

    def counts(self, part: Part) -> list[int]:
        """Return the pictures per class in `part`."""
        labels = Counter(member.label for member in self.part(part))
        return [labels[k] for k in range(len(self.classes))]

    def encoded(self) -> bytes:
        return msgspec.json.encode(self)

    def digest(self) -> str:
        """Return the BLAKE2b of who is in which part, wherever the data folder lies."""
        parts = [self.classes, self.train, self.validation, self.test]
        return hashlib.blake2b(msgspec.json.encode(parts), digest_size=16).hexdigest()


class _Group:
    """Pictures that go to one part as a whole, and how many of each class they are."""

    __slots__ = ("members", "rank", "sizes")

    def __init__(self, members: list[Member], seed: int) -> None:
        self.members = members
        self.sizes: dict[int, int] = {}
        for member in members:
            self.sizes[member.label] = self.sizes.get(member.label, 0) + 1
        # What is in the pictures decides, neither their names nor their order.
        first = min([member.digest for member in members])
        self.rank = hashlib.blake2b(f"{seed}:{first}".encode(), digest_size=8).digest()


def planned_parts(counts: Sequence[int], split: int) -> list[tuple[int, int, int]]:
    """Return (train, validation, test) per class for `counts` pictures a class, all different."""
    return [_sizes(count, split) for count in counts]


def deal(
    data: str,
    classes: list[str],
    members: Sequence[Member],
    groups: Sequence[int],
    split: int,
    seed: int,
    given: Sequence[Part | None] = (),
) -> Manifest:
    """Deal `members` into the three parts, `split` percent to training and validation together.

    Stratified, and members with the same number in `groups` go to one part as a whole. The order of the
    deal is that of BLAKE2b(seed, digest), so that it depends on what is in the files, not on their names.

    `given` is the part that each member was dealt into by somebody else, if it was: then that stands,
    a part that nobody has dealt comes out of the training part, and what trains though it belongs to a
    group that tests or validates is left out.

    Raises:
        UndealableError: classes have too few groups for the parts that are to be dealt, or are left
            without a picture to train on, or to be tested on.
    """
    parts: dict[Part, list[Member]] = {part: [] for part in PARTS}
    left_out: list[tuple[str, str]] = []
    together: dict[int, list[int]] = defaultdict(list)
    for row, group in enumerate(groups):
        together[group].append(row)
    free: list[list[Member]] = []
    for rows in together.values():
        if given:
            sides = [(given[row], members[row]) for row in rows]
            free.append(_as_given(sides, parts, left_out))
        else:
            free.append([members[row] for row in rows])
    dealt_already = {part for part in given if part}
    missing: list[Part] = [p for p in ("test", "validation") if p not in dealt_already]
    _deal([_Group(group, seed) for group in free if group], classes, split, missing, parts)
    _check(parts, classes)
    sorted_parts = {part: sorted(parts[part], key=lambda member: member.path) for part in PARTS}
    return Manifest(
        data=data, classes=classes, seed=seed, split=split, left_out=left_out, **sorted_parts
    )


class UndealableError(UserError):
    """Classes (`labels`) whose pictures are too few, or belong together too much, to be dealt"""

    def __init__(self, error: UserError, labels: list[int]) -> None:
        super().__init__(error.title, error.hint)
        self.labels = labels


def _check(parts: dict[Part, list[Member]], classes: list[str]) -> None:
    """Refuse a deal that leaves a class without training or test, or that cannot choose an epoch."""
    for part in PARTS:
        present = {member.label for member in parts[part]}
        missing = [label for label in range(len(classes)) if label not in present]
        if missing and (part != "validation" or not present):
            name = safe_text(classes[missing[0]])
            error = UserError(
                f"No picture of the class “{name}” is left for the {part} part.",
                "What belongs together is too large a share of it: copies, or what --group joins.",
            )
            raise UndealableError(error, missing)


def _as_given(
    sides: list[tuple[Part | None, Member]],
    parts: dict[Part, list[Member]],
    left_out: list[tuple[str, str]],
) -> list[Member]:
    """Put a group's members where somebody has dealt them; return those that are still to deal."""
    keeper: Member | None = None
    for part in ("test", "validation"):
        fixed = [member for side, member in sides if side == part]
        if keeper is None:
            parts[part].extend(fixed)
            keeper = fixed[0] if fixed else None
        else:
            left_out.extend((member.path, keeper.path) for member in fixed)
    rest = [member for side, member in sides if side in (None, "train")]
    if keeper is None:
        return rest
    left_out.extend((member.path, keeper.path) for member in rest)
    return []


def leaking(manifest: Manifest, members: Sequence[Member], groups: Sequence[int]) -> int:
    """Return how many test pictures have one of their group in training, though they should not."""
    group_of = {member.path: group for member, group in zip(members, groups, strict=True)}
    trained = {group_of[member.path] for member in (*manifest.train, *manifest.validation)}
    return sum(group_of[member.path] in trained for member in manifest.test)


def leaked_by_chance(
    members: Sequence[Member], groups: Sequence[int], classes: int, split: int, seed: int
) -> int:
    """Return how many test pictures would have one of their group in training, dealt by picture alone."""
    by_class: list[list[int]] = [[] for _ in range(classes)]
    for row, member in enumerate(members):
        by_class[member.label].append(row)

    def rank(row: int) -> bytes:
        # By path: equal pictures would be dealt one after the other if their content decided.
        return hashlib.blake2b(f"{seed}:{members[row].path}".encode(), digest_size=8).digest()

    test: set[int] = set()
    for rows in by_class:
        size = _sizes(len(rows), split)[PARTS.index("test")]
        test.update(sorted(rows, key=rank)[len(rows) - size :])
    trained = {group for row, group in enumerate(groups) if row not in test}
    return sum(groups[row] in trained for row in test)


def _deal(
    groups: list[_Group],
    classes: list[str],
    split: int,
    missing: Sequence[Part],
    parts: dict[Part, list[Member]],
) -> None:
    """Fill the `missing` parts with whole groups that fit; the rest, the largest too, trains."""
    left = sorted(groups, key=lambda group: group.rank)
    counts, totals = [0] * len(classes), [0] * len(classes)
    for group in left:
        for label, size in group.sizes.items():
            counts[label] += 1
            totals[label] += size
    poor = [label for label in range(len(classes)) if counts[label] < len(missing) + 1]
    if poor:
        raise UndealableError(too_few(classes[poor[0]], counts[poor[0]]), poor)
    sizes = [_sizes(totals[label], split, "test" in missing) for label in range(len(classes))]
    for place, part in enumerate(missing):
        room = [size[PARTS.index(part)] for size in sizes]
        taken = _taken(left, room, counts, to_leave=len(missing) - place)
        for group in taken:
            parts[part].extend(group.members)
            for label in group.sizes:
                counts[label] -= 1
        chosen = set(map(id, taken))
        left = [group for group in left if id(group) not in chosen]
    for group in left:
        parts["train"].extend(group.members)


def _taken(
    groups: list[_Group], room: list[int], counts: Sequence[int], to_leave: int
) -> list[_Group]:
    """Return those of `groups`, from the last, that fill the `room` of each class with none to spare.

    Of each class at least `to_leave` groups are left; where none is small enough, the smallest is taken.
    """
    room, left = list(room), list(counts)
    taken: list[_Group] = []
    still_open = {label for label, size in enumerate(room) if size > 0}

    def take(group: _Group) -> None:
        taken.append(group)
        for label, size in group.sizes.items():
            left[label] -= 1
            room[label] -= size
            if room[label] <= 0:
                still_open.discard(label)

    def may_go(group: _Group) -> bool:
        return all(left[label] > to_leave for label in group.sizes)

    for group in reversed(groups):
        if not still_open:
            break
        if may_go(group) and all(room[label] >= size for label, size in group.sizes.items()):
            take(group)
    served = {label for group in taken for label in group.sizes}
    for label in range(len(room)):
        if label not in served:
            able = [group for group in groups if label in group.sizes and may_go(group)]
            if able:
                take(min(able, key=lambda group: sum(group.sizes.values())))
    return taken


def _sizes(count: int, split: int, with_test: bool = True) -> tuple[int, int, int]:
    test = min(max(round(count * (100 - split) / 100), 1), max(count - 2, 0)) if with_test else 0
    validation = min(max(round((count - test) * VALIDATION_FRACTION), 1), max(count - test - 1, 0))
    return count - test - validation, validation, test
