"""The suite's part of a report, from records as trials leave them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rlbench.core.arrays import pack
from rlbench.core.errors import CorruptError
from rlbench.core.suite import Picture, Table
from rlbench.suites.skillhack.views import followed, success, teachers
from rlbench.suites.skillhack.views.charts import mean_points, read_points

PNG = b"\x89PNG"


@pytest.fixture
def frame(tmp_path: Path) -> pd.DataFrame:
    """Two seeds of hks and one of ppo on a task."""
    rows = []
    for row, seed in (("hks", 0), ("hks", 1), ("ppo", 0)):
        folder = tmp_path / row
        folder.mkdir(exist_ok=True)
        curve = folder / f"seed-{seed}.csv"
        curve.write_text("step,success\n100,0.1\n200,\n300,0.5\n")
        evidence = {"episode_return": np.zeros(3, np.float32)}
        if row == "hks":
            evidence |= {
                "teacher_name": np.array(["pick-up", "wield"]),
                "teacher_frames": np.array([1000, 1000]),
                "teacher_success": np.array([0.5, 0.9], np.float32),
                "teacher_weight": np.array([[0.5, 0.5], [0.2, 0.8]], np.float32),
                "teacher_weight_step": np.array([100, 300]),
            }
        path = folder / f"seed-{seed}.json"
        path.with_suffix(".npz").write_bytes(pack(evidence))
        line = {"task": "skillhack/battle", "row": row, "seed": seed, "low": 0.005, "high": 1.0}
        rows.append({**line, "curve": str(curve), "path": str(path)})
    return pd.DataFrame(rows)


def test_success_is_drawn_per_task(frame: pd.DataFrame) -> None:
    (shown,) = success(frame)

    assert isinstance(shown, Picture)
    assert shown.name == "success-battle"
    assert shown.png.startswith(PNG)


def test_weights_are_drawn_for_students_that_weigh_teachers(frame: pd.DataFrame) -> None:
    (shown,) = followed(frame)

    assert isinstance(shown, Picture)
    assert shown.name == "teachers-battle-hks"
    assert followed(frame[frame["row"] == "ppo"]) == []


def test_every_expert_is_listed_once_with_its_cost(frame: pd.DataFrame) -> None:
    (shown,) = teachers(frame)

    assert isinstance(shown, Table)
    assert shown.frame.to_dict("index") == {
        "pick-up": {"frames": 1000, "success": 0.5},
        "wield": {"frames": 1000, "success": 0.9},
    }
    assert teachers(frame[frame["row"] == "ppo"]) == []


def test_nothing_is_shown_where_evidence_and_curves_are_kept_elsewhere(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    bare = frame.assign(curve="", path=str(tmp_path / "gone.json"))

    assert success(bare) == followed(bare) == teachers(bare) == []


def test_a_curve_is_read_where_it_has_points(frame: pd.DataFrame) -> None:
    points = read_points(Path(frame["curve"][0]), "success")

    assert points is not None
    assert points[0].tolist() == [100, 300]
    assert points[1].tolist() == [0.1, 0.5]
    assert read_points(Path(frame["curve"][0]), "return") is None


def test_a_broken_curve_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "seed-0.csv").write_text("step,success\nx,1\n")

    with pytest.raises(CorruptError, match=r"seed-0\.csv: no curve"):
        read_points(tmp_path / "seed-0.csv", "success")


def test_means_end_where_the_shortest_trial_ends() -> None:
    long = (np.array([0, 100, 200]), np.array([0.0, 1.0, 1.0]))
    short = (np.array([0, 100]), np.array([0.0, 0.0]))

    steps, values = mean_points([long, short])

    assert steps[-1] == 100
    assert values[-1] == pytest.approx(0.5)
