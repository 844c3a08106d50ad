"""What a person sees: stored students on other mazes, pictures, the report's own part."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from rlbench.cli.ued import eval_, render
from rlbench.core.data import DataStore
from rlbench.core.errors import CorruptError, MissingError, SpecError, UsageError
from rlbench.core.registry import Registry
from rlbench.core.stats import Interval
from rlbench.core.store import Store
from rlbench.core.suite import LinePlot, Picture, Table
from rlbench.core.trial import Trial, resolve_params
from rlbench.reports.frame import load_results
from rlbench.runner.execute import Bench, execute
from rlbench.suites.ued.families import procedural
from rlbench.suites.ued.saved import evaluation_families, load_student
from rlbench.suites.ued.suite import SUITE
from rlbench.suites.ued.views import VIEWS

REGISTRY = Registry.load()
MAZES = "maze first\n>.G\n...\n\nmaze second\n>#G\n...\n"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, own_cache: Path) -> Path:
    """Three finished trials: two curricula, one of them with a buffer, and chance."""
    from rlbench.core.assets import AssetStore, cache_folder

    root = tmp_path_factory.mktemp("results")
    task = REGISTRY.tasks["ued/maze-25"]
    params = {**task.params, "height": 5, "width": 5, "horizon": 20, "n_walls": 4}
    params |= {"maze_horizon": 30, "mazes": ["sixteen-rooms", "crossing"]}
    tier = {"updates": 2, "environments": 8, "steps": 32}
    tier |= {"episodes": 2, "levels": 10, "level_episodes": 1}
    task = replace(task, params=params, tiers={"smoke": tier})
    source = "0" * 64
    bench = Bench(
        store=Store(root),
        assets=AssetStore(cache_folder(), source),
        data=DataStore(REGISTRY.data),
        source=source,
    )
    for name in ("dr", "plr", "random"):
        recipe = REGISTRY.baselines[f"ued/{name}"]
        resolved = resolve_params(task, recipe, "smoke", {})
        resolved |= {"capacity": 8} if "capacity" in resolved else {}
        execute(bench, SUITE, Trial(task, recipe, resolved, {}, "smoke", 0))
    return root


def record_of(results: Path, name: str) -> Path:
    return next(results.rglob(f"{name}/smoke/seed-0.json"))


def run(command: Any, *words: str | Path) -> Any:
    return CliRunner().invoke(command, [str(word) for word in words], catch_exceptions=False)


def test_a_stored_student_is_put_into_anybodys_mazes(results: Path, tmp_path: Path) -> None:
    levels = tmp_path / "mine.txt"
    levels.write_text(MAZES)

    words = (record_of(results, "dr"), "--levels", levels, "--episodes", "7", "--json")
    found = [json.loads(run(eval_, *words).stdout) for _ in range(2)]

    assert found[0] == found[1]
    first, second = found[0]["mazes"]
    assert first["best_return"] == pytest.approx(1 - 0.9 * 2 / (2 * 4 * 5), abs=1e-6)
    assert second["maze"] == "second"
    assert 0 <= first["solved"] <= 1


def test_the_table_of_eval_names_every_maze(results: Path, tmp_path: Path) -> None:
    levels = tmp_path / "mine.txt"
    levels.write_text(MAZES)

    lines = run(eval_, record_of(results, "dr"), "--levels", levels).stdout.splitlines()

    assert [line.split()[0] for line in lines] == ["maze", "first", "second"]


def test_a_bad_level_file_is_refused_by_line(results: Path, tmp_path: Path) -> None:
    levels = tmp_path / "mine.txt"
    levels.write_text("maze first\n>..\n...\n")

    with pytest.raises(SpecError, match=r"mine.txt:1: maze 'first' has no goals"):
        run(eval_, record_of(results, "dr"), "--levels", levels)


def test_what_is_no_student_is_refused(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "asset.json").write_text('{"kind": "classifier"}')
    with pytest.raises(UsageError, match="expected an asset of kind 'ued-student'"):
        load_student(tmp_path)
    with pytest.raises(UsageError, match="trained no student"):
        load_student(record_of(results, "random"))
    with pytest.raises(UsageError, match="expected a record"):
        load_student(tmp_path / "weights.pt")
    (tmp_path / "asset.json").write_text('{"kind": "ued-student", "params": {}}')
    with pytest.raises(CorruptError, match="not a whole student"):
        load_student(tmp_path)
    monkeypatch.setenv("RLBENCH_CACHE", str(tmp_path / "elsewhere"))
    with pytest.raises(MissingError, match="run: rlbench run ued/maze-25 dr"):
        load_student(record_of(results, "dr"))


def test_mazes_are_drawn_with_the_wall_around_them(tmp_path: Path) -> None:
    levels = tmp_path / "mine.txt"
    levels.write_text(MAZES)

    run(render, levels, "--out", tmp_path / "out")

    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "first.png",
        "second.png",
    ]
    with Image.open(tmp_path / "out" / "first.png") as image:
        assert image.size == (5 * 12, 4 * 12)


def test_a_record_is_drawn_as_curriculum_gallery_and_episodes(
    results: Path, tmp_path: Path
) -> None:
    levels = tmp_path / "mine.txt"
    levels.write_text(MAZES)

    run(render, record_of(results, "plr"), "--play", levels, "--out", tmp_path / "out")

    names = {path.name for path in (tmp_path / "out").iterdir()}
    drawn = {"curriculum.png", "evolution.png", "hardest.png"}
    assert names == drawn | {"first.gif", "second.gif"}
    with Image.open(tmp_path / "out" / "first.gif") as image:
        assert 2 <= getattr(image, "n_frames", 0) <= 2 * 4 * 5 + 1


def test_without_matplotlib_levels_are_drawn_and_the_error_says_what_to_install(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    with pytest.raises(MissingError, match=r'pip install "rlbench\[report\]"'):
        run(render, record_of(results, "dr"), "--out", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["curriculum.png"]


def test_a_record_without_training_has_no_curriculum_to_draw(results: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="trained nobody"):
        run(render, record_of(results, "random"), "--out", tmp_path)


def test_a_student_is_drawn_in_the_evaluation_mazes_of_its_task(results: Path) -> None:
    families = evaluation_families(record_of(results, "dr"))

    assert [family.name for family in families] == REGISTRY.tasks["ued/maze-25"].params["mazes"]
    crossing = procedural()["crossing-minigrid"]
    trained = load_student(record_of(results, "dr"))
    assert [trained.rules(family).occluded for family in (families[0], crossing)] == [False, True]


def test_a_level_file_to_play_that_is_not_there_is_refused(results: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"nowhere\.txt: "):
        run(render, record_of(results, "dr"), "--play", "nowhere.txt", "--out", tmp_path)


def exhibits(results: Path, name: str) -> list[Any]:
    frame = load_results(results, reference=False)
    return next(list(view.build(frame)) for view in VIEWS if view.name == name)


def test_the_report_shows_solve_rates_per_maze_and_on_levels(results: Path) -> None:
    (mazes,), (levels,) = exhibits(results, "mazes"), exhibits(results, "levels")

    assert isinstance(mazes, Table)
    assert set(mazes.frame.index) == {"dr", "plr", "random"}
    assert set(mazes.frame.columns) == {"sixteen-rooms", "crossing"}
    assert isinstance(mazes.frame.loc["dr", "crossing"], Interval)
    assert isinstance(levels, Table)
    assert list(levels.frame.columns) == ["all levels", "worst 10 %"]


def test_the_report_shows_a_row_of_the_hardest_levels_of_each_curriculum(results: Path) -> None:
    (gallery,) = exhibits(results, "gallery")

    assert isinstance(gallery, Picture)
    caption, level = 16, 7 * 8  # only plr values levels; they are 5x5 with a wall around
    assert size(gallery) == (8 * (level + 6) - 6, caption + level)


def test_the_report_shows_the_levels_chosen_over_time(results: Path) -> None:
    difficulty, evolution = exhibits(results, "evolution")

    assert (difficulty.name, evolution.name) == ("difficulty-maze-25", "evolution-maze-25")
    assert isinstance(difficulty, LinePlot)
    assert [panel.y_label for panel in difficulty.panels][:2] == [
        "walls of a level",
        "shortest path, moves",
    ]
    walls = difficulty.panels[0]
    assert [line.label for line in walls.series] == ["dr", "plr"]
    assert [line.steps.tolist() for line in walls.series] == [[1, 2]] * 2
    caption, level = 16, 7 * 5  # dr and plr: two updates, three levels of each
    assert size(evolution)[1] == 2 * (caption + 3 * (level + 6) - 6) + 6


def size(picture: Picture) -> tuple[int, int]:
    with Image.open(io.BytesIO(picture.png)) as image:
        return image.size
