"""What a step pays, by the published rules and by ours."""

from __future__ import annotations

from dataclasses import replace

import pytest
from nethack_levels import TASKS, settings_of

from rlbench.suites.skillhack.interface import Cause
from rlbench.suites.skillhack.rewards import Happening, Referee
from rlbench.suites.skillhack.settings import Event, TaskSettings

QUIET = Happening(b"", b"", frozen=False, on_stairs=False, game_over=False, timed_out=False)


def plain(*events: Event, published: bool, **more: object) -> TaskSettings:
    settings = TaskSettings("some", "0" * 64, published, events=events, stairs_reward=1.0)
    return replace(settings, **more)  # type: ignore[arg-type]


def said(text: str, hidden: str = "") -> Happening:
    return QUIET._replace(message=text.encode(), hidden=hidden.encode())


@pytest.mark.parametrize("name", sorted(TASKS))
def test_every_event_of_every_task_pays_when_its_message_is_said(name: str) -> None:
    settings = settings_of(name)
    for event in settings.events:
        for text in event.messages:
            verdict = Referee(settings).judge(said(f"Well!  {text} indeed"))

            expected = 0.0 if settings.together else event.reward
            assert verdict.reward == pytest.approx(expected - settings.step_penalty)


@pytest.mark.parametrize("published", [True, False])
def test_an_event_pays_once(published: bool) -> None:
    referee = Referee(plain(Event(("locked",), 0.2, required=False), published=published))

    assert [referee.judge(said("locked")).reward for _ in range(3)] == [0.2, 0.0, 0.0]
    referee.begin()
    assert referee.judge(said("locked")).reward == 0.2


@pytest.mark.parametrize("published", [True, False])
def test_a_repeatable_event_pays_each_time_and_never_ends_the_episode(published: bool) -> None:
    event = Event(("crawl",), -0.1, repeatable=True, required=False)
    referee = Referee(plain(event, published=published))

    assert [referee.judge(said("crawl")) for _ in range(2)] == [(-0.1, Cause.RUNNING)] * 2


@pytest.mark.parametrize("published", [True, False])
def test_all_required_events_or_one_sufficient_event_end_the_episode(published: bool) -> None:
    events = (Event(("a",)), Event(("b",)), Event(("c",), required=False, sufficient=True))
    referee = Referee(plain(*events, published=published))

    assert referee.judge(said("a")).cause is Cause.RUNNING
    assert referee.judge(said("b")).cause is Cause.EVENT
    referee.begin()
    assert referee.judge(said("c")).cause is Cause.EVENT


@pytest.mark.parametrize("published", [True, False])
def test_events_that_pay_together_pay_with_the_last_one(published: bool) -> None:
    events = (Event(("a",), 0.5), Event(("b",), 0.5))
    referee = Referee(plain(*events, published=published, together=True))

    assert referee.judge(said("b")) == (0.0, Cause.RUNNING)
    assert referee.judge(said("a")) == (1.0, Cause.EVENT)


def test_at_the_time_limit_the_published_rules_see_no_event_and_take_one_off() -> None:
    late = said("a")._replace(timed_out=True)

    assert Referee(plain(Event(("a",)), published=True)).judge(late) == (-1.0, Cause.TIMEOUT)
    assert Referee(plain(Event(("a",)), published=False)).judge(late) == (1.0, Cause.EVENT)


def test_by_our_rules_running_out_of_time_costs_nothing() -> None:
    late = QUIET._replace(timed_out=True)

    assert Referee(plain(Event(("a",)), published=False)).judge(late) == (0.0, Cause.TIMEOUT)


def test_a_message_behind_a_prompt_counts_by_our_rules_only() -> None:
    step = said("What else?", hidden="You win.")

    assert Referee(plain(Event(("You win",)), published=True)).judge(step).reward == 0.0
    assert Referee(plain(Event(("You win",)), published=False)).judge(step).reward == 1.0


@pytest.mark.parametrize("published", [True, False])
def test_dying_costs_one_even_in_the_moment_of_success(published: bool) -> None:
    last = said("a")._replace(game_over=True)

    assert Referee(plain(Event(("a",)), published=published)).judge(last) == (0.0, Cause.DEATH)


@pytest.mark.parametrize("published", [True, False])
def test_the_stairs_end_an_episode_and_a_frozen_step_costs_a_thousandth(published: bool) -> None:
    referee = Referee(plain(Event(("a",)), published=published))

    assert referee.judge(QUIET._replace(on_stairs=True)) == (1.0, Cause.STAIRS)
    assert referee.judge(QUIET._replace(frozen=True)).reward == pytest.approx(-0.001)
