from __future__ import annotations

from pathlib import Path

import pytest
from bench import Bench, own

from rlbench.core.errors import ExitCode, UsageError
from rlbench.runner import batches, local


def test_a_finished_trial_is_not_run_again(bench: Bench) -> None:
    first = bench.run("walk/*", "chance")
    before = bench.contents()
    second = bench.run("walk/*", "chance")

    assert (first.ran, first.done) == (4, 0)
    assert (second.ran, second.done) == (0, 4)
    assert bench.contents() == before


def test_evidence_does_not_depend_on_batch_process_or_order(bench: Bench) -> None:
    bench.run("walk/*", "chance,q-learning", jobs=1)
    together = bench.contents()
    alone = Bench(bench.folder / "alone", bench.environment)
    for task in ("walk/corridor-long", "walk/corridor-short"):
        for baseline in ("q-learning", "chance"):
            for seed in (1, 0):
                alone.run(task, baseline, seeds=[seed], jobs=1)

    assert alone.contents() == together


def test_global_state_left_by_one_trial_does_not_reach_the_next(bench: Bench) -> None:
    bench.run("walk/corridor-short", f"{own('Polluter')},{own('GlobalChance')}", jobs=1)
    alone = Bench(bench.folder / "alone", bench.environment)
    alone.run("walk/corridor-short", own("GlobalChance"), jobs=1)
    key = "walk/corridor-short@1/own-global-chance/smoke/seed-0.npz"

    assert bench.contents()[key] == alone.contents()[key]


def test_a_crash_costs_only_the_trial_in_hand_and_is_retried_twice(bench: Bench) -> None:
    summary = bench.run("walk/*", f"chance,{own('Crash')}", jobs=1)
    failed = [label for label, _, _ in summary.failed]
    trial = next(bench.results.glob("walk/corridor-short@1/own-crash/smoke/seed-0.failed.json"))

    assert summary.ran == 4
    assert summary.exit_code == ExitCode.NEGATIVE
    assert len(failed) == 4
    assert '"attempts": 3' in trial.read_text()
    assert "SIGKILL" in trial.read_text()
    assert "about to crash" in trial.read_text()


def test_a_worker_that_keeps_growing_is_replaced_between_two_trials(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BATCHES_PER_SLOT", 1)
    summary = bench.run(
        "walk/corridor-short",
        own("Leak"),
        seeds=[0, 1, 2, 3],
        overrides={"folder": str(bench.folder)},
        jobs=1,
    )
    processes = (bench.folder / "processes").read_text().split()

    assert (summary.ran, summary.exit_code) == (4, ExitCode.OK)
    assert processes[0] == processes[1] == processes[2] != processes[3]


def test_a_trial_that_crashes_once_ends_well(bench: Bench) -> None:
    marker = str(bench.folder / "marker")
    summary = bench.run(
        "walk/corridor-short", own("CrashOnce"), seeds=[0], overrides={"marker": marker}
    )

    assert (summary.ran, summary.failed) == (1, ())
    assert not list(bench.results.rglob("*.failed.json"))


def test_a_python_error_is_final_and_its_traceback_is_kept(bench: Bench) -> None:
    summary = bench.run("walk/corridor-short", own("Error"), seeds=[0])
    text = next(bench.results.rglob("seed-0.failed.json")).read_text()

    assert summary.failed[0][1:] == ("error", "KeyError: 'no such thing'")
    assert '"attempts": 1' in text
    assert "a line in the log" in text
    assert "Traceback" in text


def test_a_failed_trial_is_tried_again_by_the_next_run(bench: Bench) -> None:
    marker = bench.folder / "marker"
    agent = bench.folder / "agent.py"
    agent.write_text(
        "from pathlib import Path\nfrom rlbench_walk.agents import Chance\n"
        "class Picky(Chance):\n"
        "    def __init__(self, steps: int = 0) -> None:\n"
        f"        if not Path({str(marker)!r}).exists(): raise ValueError('not yet')\n"
        "        super().__init__(steps)\n"
    )
    first = bench.run("walk/corridor-short", f"{agent}:Picky", seeds=[0])
    marker.touch()
    second = bench.run("walk/corridor-short", f"{agent}:Picky", seeds=[0])

    assert len(first.failed) == 1
    assert second.ran == 1
    assert not list(bench.results.rglob("*.failed.json"))


def test_out_of_memory_is_retried_once_alone(bench: Bench) -> None:
    summary = bench.run("walk/corridor-short", f"chance,{own('OutOfMemory')}", seeds=[0])
    text = next(bench.results.rglob("seed-0.failed.json")).read_text()

    assert summary.ran == 1
    assert summary.failed[0][1] == "out-of-memory"
    assert '"attempts": 2' in text


def test_a_trial_over_its_time_limit_is_ended_and_the_rest_goes_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "GRACE_S", 0.3)
    summary = bench.run("walk/corridor-short", f"{own('Hang')},chance", time_limit=1.0, jobs=1)

    assert summary.ran == 2
    assert {kind for _, kind, _ in summary.failed} == {"timeout"}
    assert bench.workers() == []


def test_a_missing_constructor_argument_is_one_clear_line(bench: Bench) -> None:
    summary = bench.run("walk/corridor-short", own("CrashOnce"), seeds=[0])

    assert "marker" in summary.failed[0][2]
    assert "\n" not in summary.failed[0][2]


def test_a_pair_named_outright_that_does_not_fit_is_refused(bench: Bench) -> None:
    with pytest.raises(UsageError, match=r"no tier 'paper'"):
        bench.run("walk/corridor-short", "chance", tier="paper")


def test_overriding_a_budget_makes_the_tier_custom(bench: Bench) -> None:
    bench.run("walk/corridor-short", "q-learning", seeds=[0], overrides={"steps": 400})
    bench.run("walk/corridor-short", "q-learning", seeds=[0], overrides={"lr": 0.25})

    assert [p.parent.name for p in sorted(bench.results.rglob("seed-0.json"))] == [
        "smoke",
        "custom",
    ]


def test_a_users_class_is_another_trial_when_its_source_changes(bench: Bench) -> None:
    agent = bench.folder / "mine.py"
    agent.write_text("from rlbench_walk.agents import Chance\nclass Mine(Chance):\n    pass\n")
    bench.run("walk/corridor-short", f"{agent}:Mine", seeds=[0], overrides={"steps": 10})
    agent.write_text(agent.read_text() + "    speed = 2\n")
    again = bench.run("walk/corridor-short", f"{agent}:Mine", seeds=[0], overrides={"steps": 10})

    assert again.stale == 1
    assert again.ran == 0


def test_records_hold_no_absolute_path(bench: Bench) -> None:
    bench.run("walk/corridor-short", own("Steady"), seeds=[0])
    text = next(bench.results.rglob("seed-0.json")).read_text()

    assert str(bench.folder) not in text
    assert str(Path(__file__).parent) not in text
    assert "faults.py:Steady" in text
