"""What each curriculum proposes, and what it makes of what it hears."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch

from rlbench.suites.ued.curricula.designed import Designed
from rlbench.suites.ued.curricula.learnable import Learnability, learnability
from rlbench.suites.ued.curricula.randomised import DomainRandomisation
from rlbench.suites.ued.curricula.replay import Replay
from rlbench.suites.ued.feedback import Play, Tally
from rlbench.suites.ued.generate import scattered
from rlbench.suites.ued.interface import Proposal, World
from rlbench.suites.ued.levels import Levels, is_repeat
from rlbench.suites.ued.maze import Maze
from rlbench.suites.ued.rollout import Rollout

N = 4


def draw(n: int, rng: torch.Generator) -> Levels:
    return scattered(n, rng, height=4, width=4, n_walls=3)


def world(probe: Any = None) -> World:
    rng = torch.Generator().manual_seed(0)
    return World(Maze(4, 4, horizon=9), draw, rng, N, 16, 100, 3, probe)


def play_with(returns: list[float], value: float = 0.0) -> Play:
    """One episode of two steps in each environment, with these returns."""
    n = len(returns)
    reward, done = torch.zeros(2, n), torch.zeros(2, n, dtype=torch.bool)
    reward[1], done[1] = torch.tensor(returns), True
    zero = torch.zeros(2, n)
    whole = zero.to(torch.int64)
    rollout = Rollout(
        torch.zeros(2, n, 25, dtype=torch.uint8), whole, whole, zero, zero + value, reward, done,
        torch.zeros(n),
    )  # fmt: skip
    return Play(rollout, zero)


def trained(proposal: Proposal) -> list[bool]:
    n = len(proposal.levels)
    return [True] * n if proposal.trained is None else proposal.trained.tolist()


def run(curriculum: Replay, rollouts: int) -> list[Proposal]:
    proposals = []
    for _ in range(rollouts):
        proposal = curriculum.propose()
        returns = torch.linspace(0.1, 0.9, len(proposal.levels)).tolist()
        curriculum.receive(proposal, [play_with(returns)])
        proposals.append(proposal)
    return proposals


def begun(**params: Any) -> Replay:
    curriculum = Replay(**{"capacity": 16, "min_fill": 0.5, **params})
    curriculum.begin(world())
    return curriculum


def test_domain_randomisation_offers_a_new_level_for_every_episode() -> None:
    curriculum = DomainRandomisation()
    curriculum.begin(world())

    proposal = curriculum.propose()

    assert proposal.renew
    assert len(proposal.levels) == N * 4
    assert trained(proposal) == [True] * 16


def test_nothing_is_replayed_before_the_buffer_is_filled_enough() -> None:
    proposals = run(begun(replay=1.0), 4)

    assert [all(trained(p)) for p in proposals] == [False, False, True, True]


@pytest.mark.parametrize("robust", [True, False])
def test_robust_replay_does_not_learn_from_new_levels(robust: bool) -> None:
    proposals = run(begun(replay=0.0, robust=robust), 5)

    assert [all(trained(p)) for p in proposals] == [not robust] * 5


def test_replayed_levels_are_levels_of_the_buffer_and_change_only_scores() -> None:
    curriculum = begun(replay=1.0)
    run(curriculum, 2)
    before = curriculum.buffer.keys.clone()

    proposal = curriculum.propose()
    known = curriculum.buffer.find(proposal.levels)
    curriculum.receive(proposal, [play_with([0.0, 0.0, 0.0, 0.0], value=-3.0)])

    assert (known >= 0).all()
    assert torch.equal(curriculum.buffer.keys, before)
    best = curriculum.buffer.best[known]
    torch.testing.assert_close(curriculum.buffer.score[known], (best + 3.0).double())


@pytest.mark.parametrize(("rule", "kept"), [("running", 0.9), ("last", 0.2)])
def test_the_best_return_is_the_highest_ever_or_the_last(rule: str, kept: float) -> None:
    """Either way, the score is made with the highest that is known."""
    curriculum = begun(replay=1.0, best_return=rule)
    curriculum.receive(curriculum.propose(), [play_with([0.9] * N)])
    curriculum.receive(curriculum.propose(), [play_with([0.9] * N)])
    proposal = curriculum.propose()
    slots = curriculum.buffer.find(proposal.levels)
    curriculum.receive(proposal, [play_with([0.2] * N)])

    assert curriculum.buffer.best[slots].tolist() == pytest.approx([kept] * N)
    assert curriculum.buffer.score[slots].tolist() == pytest.approx([0.9] * N)


def test_accel_scores_edits_of_what_it_has_just_replayed_and_does_not_learn_from_them() -> None:
    curriculum = begun(replay=1.0, edits=3, base="empty")
    proposals = run(curriculum, 6)

    assert not proposals[0].levels.walls.any()
    assert [all(trained(p)) for p in proposals] == [False, False, True, False, True, False]
    replayed, edited = proposals[2].levels, proposals[3].levels
    assert torch.equal(edited.agent, replayed.agent)
    changed = (edited.walls != replayed.walls).flatten(1).sum(1)
    assert (changed <= 3).all()
    assert int(curriculum.buffer.mutations.max()) >= 1


def test_the_easy_rule_edits_the_four_levels_with_the_least_return_by_turns() -> None:
    """Without a value loss, DCD's measure is the mean return."""
    wide: dict[str, Any] = {"maze": Maze(13, 13, horizon=9), "draw": partial(scattered, n_walls=9)}
    big = replace(world(), environments=10, **wide)
    curriculum = Replay(
        capacity=10, min_fill=1.0, replay=1.0, edits=1, mutator="minimax", edited="easy",
        staleness=1.0,
    )  # fmt: skip
    curriculum.begin(big)
    curriculum.receive(curriculum.propose(), [play_with([0.5] * 10)])
    replayed = curriculum.propose()
    curriculum.receive(replayed, [play_with([0.9, 0.1, 0.8, 0.3, 0.7, 0.2, 0.6, 0.0, 0.9, 0.9])])
    edited = curriculum.propose().levels

    order = torch.tensor([7, 1, 5, 3] * 3)[:10]
    assert torch.equal(edited.agent, replayed.levels.agent[order])
    assert ((edited.walls ^ replayed.levels.walls[order]).flatten(1).sum(1) <= 1).all()


def test_the_parallel_form_cannot_choose_what_to_edit_by_how_it_was_played() -> None:
    with pytest.raises(ValueError, match="edited: "):
        Replay(parallel=True, edits=3, edited="easy")


def test_the_parallel_form_plays_everything_at_once_and_learns_from_the_replayed_part() -> None:
    curriculum = begun(parallel=True, edits=3)
    first, second = run(curriculum, 2)

    assert trained(first) == [False] * 3 * N
    assert trained(second) == [False] * N + [True] * N + [False] * N
    replayed, edited = second.levels[N : 2 * N], second.levels[2 * N :]
    assert torch.equal(edited.agent, replayed.agent)


def test_a_replay_curriculum_goes_on_where_it_was_saved_even_between_replay_and_edit() -> None:
    one = begun(replay=1.0, edits=3)
    run(one, 3)
    assert len(one.state()["parents"]) == N
    other = begun(replay=1.0, edits=3)
    other.restore({name: tensor.clone() for name, tensor in one.state().items()})
    other._world.rng.set_state(one._world.rng.get_state())

    for a, b in zip(run(one, 4), run(other, 4), strict=True):
        assert torch.equal(a.levels.keys(direction=True), b.levels.keys(direction=True))
        assert trained(a) == trained(b)


def test_learnability_is_highest_for_levels_that_are_solved_half_of_the_time() -> None:
    tally = Tally(torch.tensor([4, 4, 4, 0]), torch.tensor([0, 2, 4, 0]))

    assert learnability(tally).tolist() == [0, 0.25, 0, 0]


def test_sfl_keeps_the_most_learnable_levels_and_mixes_them_with_new_ones() -> None:
    calls: list[int] = []

    def probe(levels: Levels, steps: int) -> Tally:
        """Levels with the goal in the first row are solved half of the time."""
        calls.append(steps)
        finished = torch.full_like(levels.goal, 10)
        return Tally(finished, torch.where(levels.goal < 4, 5, 10))

    curriculum = Learnability(refresh=3, batches=2, batch=40, probe_steps=7, keep=5, share=0.5)
    curriculum.begin(world(probe))
    proposals = [curriculum.propose() for _ in range(4)]

    assert calls == [7] * 4  # two batches, searched before the first and the fourth rollout
    for proposal in proposals:
        assert len(proposal.levels) == N
        assert (proposal.levels.goal[: N // 2] < 4).all()


def test_a_designer_is_paid_the_regret_of_its_levels() -> None:
    curriculum = Designed(noise=2)
    curriculum.begin(world())
    plays = [play_with([0.1, 0.9, 0.0, 0.5]), play_with([0.6, 0.2, 0.0, 0.5])]

    assert curriculum.n_students == 2
    assert curriculum.regret(plays).tolist() == pytest.approx([0.5, 0, 0, 0])


def test_the_minimax_adversary_is_paid_what_the_student_loses() -> None:
    curriculum = Designed(students=1, reward="loss", noise=2)
    curriculum.begin(world())

    found = curriculum.regret([play_with([0.1, 0.9, 0.0, 0.5])])

    assert found.tolist() == pytest.approx([-0.1, -0.9, 0, -0.5])


def test_designs_have_as_many_walls_as_the_task_allows_and_count_their_steps() -> None:
    curriculum = Designed(noise=2)
    curriculum.begin(world())
    proposal = curriculum.propose()

    assert curriculum.teacher_steps == 5 * N
    assert (proposal.levels.walls.flatten(1).sum(1) <= 3).all()
    assert trained(proposal) == [True] * N


def test_repaired_learns_from_replayed_designs_only() -> None:
    curriculum = Designed(noise=2, replay=1.0, capacity=8, min_fill=0.1)
    curriculum.begin(world())
    plays = [play_with([0.1, 0.9, 0.0, 0.5])] * 2
    first = curriculum.propose()
    curriculum.receive(first, plays)
    taught = curriculum.teacher_steps
    second = curriculum.propose()

    assert trained(first) == [False] * N
    assert trained(second) == [True] * N
    assert (curriculum.buffer.find(second.levels) >= 0).all()
    assert curriculum.teacher_steps == taught
    assert len(curriculum.buffer) == int((~is_repeat(first.levels.keys())).sum())


@pytest.mark.parametrize(
    ("students", "reward"), [(1, "relative"), (3, "relative"), (1, "population"), (2, "loss")]
)
def test_rewards_that_need_other_students_are_refused(students: int, reward: Any) -> None:
    with pytest.raises(ValueError, match="students: "):
        Designed(students=students, reward=reward)


@pytest.mark.parametrize("params", [{"share": 1.5}, {"keep": 0}, {"batch": 10, "batches": 1}])
def test_impossible_searches_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Learnability(**params)
