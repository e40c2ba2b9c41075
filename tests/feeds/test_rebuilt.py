"""The rebuilt book: anchoring, continuity by update ids, and what is believed after a gap."""

from __future__ import annotations

from collections import Counter

from apps.markets.feeds.capture import Diff, Snapshot, Top
from apps.markets.feeds.rebuilt import RebuiltBook


def book() -> tuple[RebuiltBook, Counter[str]]:
    counters: Counter[str] = Counter()
    return RebuiltBook(counters), counters


def anchored() -> tuple[RebuiltBook, Counter[str]]:
    made, counters = book()
    made.put_snapshot(Snapshot(0, 100, ((50, 5), (49, 4), (48, 3)), ((52, 5), (53, 4))))
    return made, counters


def test_a_snapshot_is_caught_up_with_the_diffs_after_it_only():
    made, counters = book()
    made.put_diff(Diff(0, 90, 100, ((50, 9),), ()))
    made.put_diff(Diff(0, 101, 103, ((49, 0),), ((54, 6),)))

    made.put_snapshot(Snapshot(0, 101, ((50, 5), (49, 4)), ((52, 5),)))

    assert made.levels(9) == (((50, 5),), ((52, 5), (54, 6)))
    assert made.last_id == 103
    assert made.anchored
    assert counters["gaps"] == 0


def test_a_snapshot_older_than_the_diffs_that_are_kept_is_left_alone():
    made, counters = book()
    made.put_diff(Diff(0, 101, 103, ((49, 2),), ()))

    made.put_snapshot(Snapshot(0, 99, ((50, 5),), ((52, 5),)))

    assert not made.anchored
    assert counters["snapshots_too_old"] == 1


def test_a_snapshot_ahead_of_the_diffs_drops_them_until_they_reach_it():
    made, counters = anchored()

    made.put_diff(Diff(0, 95, 100, ((50, 1),), ()))
    made.put_diff(Diff(0, 98, 102, ((50, 2),), ()))

    assert made.levels(1)[0] == ((50, 2),)
    assert counters["diffs_old"] == 1
    assert counters["gaps"] == 0


def test_a_repeated_diff_changes_nothing():
    made, counters = anchored()
    made.put_diff(Diff(0, 101, 102, ((50, 2),), ()))
    made.put_diff(Diff(0, 103, 104, ((50, 3),), ()))

    made.put_diff(Diff(0, 101, 102, ((50, 2),), ()))

    assert made.levels(1)[0] == ((50, 3),)
    assert counters["diffs_old"] == 1


def test_after_a_gap_nothing_older_is_believed_until_the_best_prices_are_known():
    made, counters = anchored()

    made.put_diff(Diff(0, 105, 106, ((47, 7),), ()))

    assert counters["gaps"] == 1
    assert not made.ready
    assert made.levels(9) == ((), ())

    made.put_top(Top(0, 107, (50, 6), (52, 1)))

    assert counters["resyncs_from_top"] == 1
    assert made.levels(9) == (((50, 6), (47, 7)), ((52, 1),))

    made.put_diff(Diff(0, 107, 110, ((49, 4),), ((52, 0), (55, 2))))

    assert made.levels(9) == (((50, 6), (49, 4), (47, 7)), ((55, 2),))


def test_a_snapshot_ends_the_uncertainty_after_a_gap():
    made, counters = anchored()
    made.put_diff(Diff(0, 105, 106, ((47, 7),), ()))

    made.put_snapshot(Snapshot(0, 105, ((50, 1), (46, 1)), ((51, 1),)))

    assert made.anchored
    assert made.levels(9) == (((50, 1), (47, 7), (46, 1)), ((51, 1),))
    assert counters["snapshots"] == 2


def test_best_prices_newer_than_the_gap_survive_it():
    made, _ = anchored()
    made.put_top(Top(0, 120, (51, 2), (53, 2)))

    made.put_diff(Diff(0, 110, 115, (), ((52, 0),)))

    assert made.ready
    assert made.levels(9) == (((51, 2),), ((53, 2),))


def test_best_prices_run_ahead_of_the_diffs_and_hide_what_they_contradict():
    made, _ = anchored()

    made.put_top(Top(0, 105, (49, 9), (51, 1)))

    assert made.levels(9) == (((49, 9), (48, 3)), ((51, 1), (52, 5), (53, 4)))

    made.put_diff(Diff(0, 101, 105, ((50, 0), (49, 9)), ((51, 1),)))

    assert made.levels(9) == (((49, 9), (48, 3)), ((51, 1), (52, 5), (53, 4)))


def test_best_prices_older_than_the_diffs_change_nothing():
    made, counters = anchored()
    made.put_diff(Diff(0, 101, 110, ((50, 7),), ()))
    made.put_top(Top(0, 105, (50, 6), (52, 5)))
    made.put_top(Top(0, 104, (40, 1), (41, 1)))

    assert made.levels(1) == (((50, 7),), ((52, 5),))
    assert counters["tops_old"] == 1


def test_a_book_that_crosses_is_not_believed():
    made, counters = anchored()

    made.put_diff(Diff(0, 101, 102, ((53, 1),), ()))

    assert counters["crossed"] == 1
    assert made.levels(9) == ((), ())


def test_depth_is_what_is_asked_for():
    made, _ = anchored()

    assert made.levels(2) == (((50, 5), (49, 4)), ((52, 5), (53, 4)))
    made.put_top(Top(0, 105, (50, 6), (52, 5)))
    assert made.levels(2) == (((50, 6), (49, 4)), ((52, 5), (53, 4)))
