"""The deal is honest: by content, by class, by seed, and no picture is on two sides."""

from __future__ import annotations

import hashlib

import pytest

from core.dataset.split import PARTS, Manifest, Member, deal, planned_parts
from core.errors import UserError

CLASSES = ["cat", "dog"]


def members(*counts: int) -> list[Member]:
    return [
        Member(f"{CLASSES[k]}/{i}.png", k, hashlib.blake2b(f"{k}/{i}".encode()).hexdigest())
        for k, count in enumerate(counts)
        for i in range(count)
    ]


def dealt(given: list[Member], split: int = 80, seed: int = 0) -> Manifest:
    return deal("/data", CLASSES, given, split, seed)


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
