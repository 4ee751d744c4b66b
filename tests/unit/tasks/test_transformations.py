"""The alarm that wakes a worker when a model may be asked again."""

from pixshift.tasks.transformations import Alarm
from tests.jobs import Nudges


def test_however_many_find_a_closed_door_one_nudge_is_enough() -> None:
    alarm, queue = Alarm(), Nudges()
    for _ in range(50):
        alarm.set(queue, 10)
    assert queue.delays == [10]


def test_an_earlier_moment_is_not_missed() -> None:
    alarm, queue = Alarm(), Nudges()
    alarm.set(queue, 60)
    alarm.set(queue, 5)
    alarm.set(queue, 60)
    assert queue.delays == [60, 5]


def test_who_was_woken_wakes_the_next_until_nobody_finds_anything() -> None:
    alarm, queue = Alarm(), Nudges()
    alarm.pass_on(queue)
    assert queue.delays == []
    alarm.set(queue, 3)
    alarm.pass_on(queue)
    assert queue.delays == [3, 0.0]
    alarm.clear()
    alarm.pass_on(queue)
    assert queue.delays == [3, 0.0]
