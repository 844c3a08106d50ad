"""The suite's part of a report, from records as trials leave them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rlbench.core.arrays import pack
from rlbench.core.suite import LinePlot, Table
from rlbench.suites.skillhack.views import CEILING, FLOOR, followed, success, teachers


@pytest.fixture
def frame(tmp_path: Path) -> pd.DataFrame:
    """Two seeds of hks and one of ppo on a task."""
    rows = []
    for row, seed in (("hks", 0), ("hks", 1), ("ppo", 0)):
        folder = tmp_path / row
        folder.mkdir(exist_ok=True)
        curve = folder / f"seed-{seed}.csv"
        logged = ["step,success", "100,0.1", "200,", "300,0.5"]
        evidence = {"episode_return": np.zeros(3, np.float32)}
        if row == "hks":
            evidence |= {
                "teacher_name": np.array(["pick-up", "wield"]),
                "teacher_frames": np.array([1000, 1000]),
                "teacher_success": np.array([0.5, 0.9], np.float32),
            }
            weights = [",weight.pick-up,weight.wield", ",0.5,0.5", ",0.4,0.6", ",0.2,0.8"]
            logged = [a + b for a, b in zip(logged, weights, strict=True)]
        curve.write_text("\n".join(logged))
        path = folder / f"seed-{seed}.json"
        path.with_suffix(".npz").write_bytes(pack(evidence))
        line = {"task": "skillhack/battle", "row": row, "seed": seed, "low": 0.005, "high": 1.0}
        rows.append({**line, "curve": str(curve), "path": str(path)})
    return pd.DataFrame(rows)


def test_success_is_shown_per_task_with_floor_and_ceiling(frame: pd.DataFrame) -> None:
    (shown,) = success(frame)

    assert isinstance(shown, LinePlot)
    assert shown.name == "success-battle"
    (panel,) = shown.panels
    assert panel.levels == {FLOOR: 0.005, CEILING: 1.0}
    assert [line.label for line in panel.series] == ["hks", "ppo"]
    for line in panel.series:
        assert line.steps.tolist() == [100, 300]
        assert line.band.point.tolist() == [0.1, 0.5]


def test_weights_are_shown_for_students_that_weigh_teachers(frame: pd.DataFrame) -> None:
    (shown,) = followed(frame)

    assert isinstance(shown, LinePlot)
    assert shown.name == "teachers-battle-hks"
    (panel,) = shown.panels
    found = {line.label: line.band.point.tolist() for line in panel.series}
    assert found == {"pick-up": [0.5, 0.4, 0.2], "wield": [0.5, 0.6, 0.8]}
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
