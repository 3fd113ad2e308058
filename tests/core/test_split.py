"""The deal is honest: by content, by class, by seed, and no picture is on two sides."""

from __future__ import annotations

import hashlib

import pytest

from core.dataset import copies
from core.dataset.folder import Part
from core.dataset.split import PARTS, Manifest, Member, deal, leaked_by_chance, planned_parts
from core.errors import UserError

CLASSES = ["cat", "dog"]


def members(*counts: int) -> list[Member]:
    return [
        Member(f"{CLASSES[k]}/{i}.png", k, hashlib.blake2b(f"{k}/{i}".encode()).hexdigest())
        for k, count in enumerate(counts)
        for i in range(count)
    ]


def dealt(given: list[Member], split: int = 80, seed: int = 0) -> Manifest:
    return deal("/data", CLASSES, given, copies.grouped(given), split, seed)


@pytest.mark.parametrize("split", [1, 20, 50, 80, 99])
@pytest.mark.parametrize("counts", [(3, 3), (10, 100), (5000, 5000)])
def test_every_picture_is_dealt_once_in_the_planned_sizes(
    split: int, counts: tuple[int, int]
) -> None:
    given = members(*counts)
    manifest = dealt(given, split)
    everywhere = [m for part in PARTS for m in manifest.part(part)]
    assert sorted(m.path for m in everywhere) == sorted(m.path for m in given)
    planned = planned_parts(counts, split)
    for k in range(2):
        assert tuple(manifest.counts(part)[k] for part in PARTS) == planned[k]
        assert min(planned[k]) >= 1


def test_80_percent_train_and_a_tenth_of_them_validates() -> None:
    assert planned_parts([1000], 80) == [(720, 80, 200)]


def test_copies_stay_on_one_side_whatever_the_seed() -> None:
    given = members(60, 60)
    copies = [Member(f"dog/copy{i}.png", 1, given[i % 40].digest) for i in range(80)]
    for seed in range(10):
        manifest = dealt(given + copies, seed=seed)
        sides: dict[str, set[str]] = {}
        for part in PARTS:
            for member in manifest.part(part):
                sides.setdefault(member.digest, set()).add(part)
        assert all(len(parts) == 1 for parts in sides.values())


@pytest.mark.parametrize("seed", range(20))
def test_a_picture_copied_many_times_does_not_eat_the_test_part(seed: int) -> None:
    given = members(1000, 1000)
    copies = [Member(f"cat/copy{i}.png", 0, given[0].digest) for i in range(250)]
    train, validation, test = (dealt(given + copies, seed=seed).counts(part)[0] for part in PARTS)
    assert (train, validation, test) == (900, 100, 250)


def test_the_deal_depends_on_content_and_seed_not_on_names_or_order() -> None:
    given = members(30, 30)
    renamed = [
        Member(f"{CLASSES[m.label]}/x{m.digest[:9]}", m.label, m.digest) for m in reversed(given)
    ]

    def test_digests(manifest: Manifest) -> set[str]:
        return {m.digest for m in manifest.test}

    assert test_digests(dealt(given)) == test_digests(dealt(renamed))
    assert dealt(given).digest() == dealt(list(reversed(given))).digest()
    assert test_digests(dealt(given, seed=0)) != test_digests(dealt(given, seed=1))


def test_another_split_of_the_same_seed_keeps_test_pictures_in_the_test_part() -> None:
    given = members(100, 100)
    small, large = (dealt(given, split) for split in (90, 70))
    assert {m.path for m in small.test} < {m.path for m in large.test}


def test_too_few_different_pictures_are_refused_by_class() -> None:
    given = [*members(5, 2), Member("dog/copy.png", 1, members(5, 2)[-1].digest)]
    with pytest.raises(UserError, match="“dog” has only 2 different"):
        dealt(given)


def sides(manifest: Manifest) -> dict[str, Part]:
    return {member.path: part for part in PARTS for member in manifest.part(part)}


def test_near_copies_and_their_copies_stay_on_one_side() -> None:
    given = members(100, 100)
    near = [(row, row + 1) for row in range(0, 60, 2)]
    for seed in range(10):
        manifest = deal("/data", CLASSES, given, copies.grouped(given, near), 80, seed)
        side = sides(manifest)
        assert all(side[given[a].path] == side[given[b].path] for a, b in near)
        assert manifest.counts("test") == [20, 20]


def test_groups_across_classes_are_counted_in_each_of_them() -> None:
    given = members(300, 300)
    # Person p has three pictures of each class.
    people = [(row % 300) // 3 for row in range(600)]
    manifest = deal("/data", CLASSES, given, people, 80, 0)
    side = sides(manifest)
    for person in range(100):
        assert len({side[given[row].path] for row in range(600) if people[row] == person}) == 1
    assert [manifest.counts(part) for part in PARTS] == [[216, 216], [24, 24], [60, 60]]


def test_a_pattern_groups_by_name_or_by_path() -> None:
    names = ["cat/p1_a.png", "cat/p1_b.png", "cat/p2_a.png", "dog/p1_c.png", "dog/odd.png"]
    given = [Member(name, "cd".index(name[0]), f"{i:032x}") for i, name in enumerate(names)]
    assert copies.grouped(given, names=copies.names_by(r"^(p\d+)_", given)) == [0, 0, 2, 0, 4]
    assert copies.grouped(given, names=copies.names_by(r"p\d+", given)) == [0, 0, 2, 0, 4]
    clips = [Member(f"cat/clip{i // 2}/{i}.png", 0, f"{i:032x}") for i in range(4)]
    assert copies.grouped(clips, names=copies.names_by(r"^clip\d+/", clips)) == [0, 0, 2, 2]


def test_what_a_deal_by_picture_alone_would_leak() -> None:
    given = members(50, 50)
    assert leaked_by_chance(given, copies.grouped(given), 2, 80, 0) == 0
    doubled = given + [Member(f"cat/copy{i}.png", m.label, m.digest) for i, m in enumerate(given)]
    # Each of 40 test pictures has its double in training but with a chance of one in five.
    assert 20 <= leaked_by_chance(doubled, copies.grouped(doubled), 2, 80, 0) <= 40


def test_a_deal_that_is_given_stands_and_copies_of_test_pictures_do_not_train() -> None:
    given = members(10, 10)
    parts: list[Part | None] = ["test" if row % 10 < 3 else "train" for row in range(20)]
    # A training picture is a near copy of a test picture.
    manifest = deal("/data", CLASSES, given, copies.grouped(given, [(5, 0)]), 80, 0, parts)
    assert manifest.left_out == [("cat/5.png", "cat/0.png")]
    assert {m.path for m in manifest.test} == {given[r].path for r in range(20) if r % 10 < 3}
    assert manifest.counts("validation") == [1, 1] and manifest.counts("train") == [5, 6]


def test_a_deal_given_whole_is_kept_whole() -> None:
    given = members(10, 10)
    order: list[Part] = ["train", "validation", "test"]
    parts: list[Part | None] = [order[row % 3] for row in range(20)]
    manifest = deal("/data", CLASSES, given, copies.grouped(given), 80, 0, parts)
    assert sides(manifest) == {m.path: p for m, p in zip(given, parts, strict=True)}
