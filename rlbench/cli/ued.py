"""`rlbench eval` and `rlbench render`: trained students on anybody's mazes, and pictures."""

from __future__ import annotations

from pathlib import Path

import click

from rlbench.cli.output import columns, json_out, say


@click.command("eval")
@click.argument("checkpoint", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--levels", "levels", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True, help="A level file; see rlbench/suites/ued/levelfile.py.",
)  # fmt: skip
@click.option("--episodes", type=click.IntRange(1), default=100, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def eval_(checkpoint: Path, levels: Path, episodes: int, seed: int, as_json: bool) -> None:
    """Put the student of a finished `ued` trial into the mazes of a level file.

    CHECKPOINT is the trial's record (seed-N.json) or the folder of a stored student.
    """
    import torch

    from rlbench.core.seeding import small_seed
    from rlbench.suites.ued.evaluate import evaluate_mazes, student_player
    from rlbench.suites.ued.families import of_maze
    from rlbench.suites.ued.levelfile import read_levels
    from rlbench.suites.ued.saved import load_student

    torch.set_num_threads(1)  # the networks are small
    mazes = read_levels(levels)
    trained = load_student(checkpoint)
    found = evaluate_mazes(
        student_player(trained.student),
        [of_maze(maze) for maze in mazes],
        torch.Generator().manual_seed(small_seed("ued", "eval", seed)),
        episodes=episodes,
        maze_of=trained.rules,
    )
    rows = [
        {
            "maze": maze.name,
            "solved": float((found["maze_return"][i] > 0).mean()),
            "solved_greedy": float((found["maze_greedy_return"][i] > 0).mean()),
            "return": float(found["maze_return"][i].mean()),
            "best_return": float(found["maze_best_return"][i].mean()),
        }
        for i, maze in enumerate(mazes)
    ]
    if as_json:
        json_out({"episodes": episodes, "seed": seed, "mazes": rows})
        return
    header = ["maze", "solved", "greedy", "return", "shortest path"]
    lines = [[str(row["maze"]), *(f"{row[key]:.3f}" for key in list(row)[1:])] for row in rows]
    click.echo(columns(lines, header))


@click.command()
@click.argument("what", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--play", "play", metavar="FILE|task",
    help="Also draw the record's student on its way through the mazes of a level file, or through"
    " the evaluation mazes of its task.",
)  # fmt: skip
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("pictures"))
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
def render(what: Path, play: str | None, out: Path, seed: int) -> None:
    """Draw a level file's mazes, or the curriculum of a record (seed-N.json) of suite `ued`."""
    from rlbench.core.errors import UsageError
    from rlbench.core.record import read_evidence, read_record
    from rlbench.suites.ued.levelfile import read_levels
    from rlbench.suites.ued.render import render_curriculum, render_mazes

    out.mkdir(parents=True, exist_ok=True)
    if what.suffix == ".json":
        record = read_record(what)
        paths = render_curriculum(read_evidence(what, record), out)
        paths += _evolution(record.task.id, what.with_suffix(".csv"), out)
    elif play is not None:
        raise UsageError(f"--play goes with the record of a trained student, not with {what}")
    else:
        paths = render_mazes(read_levels(what, solvable=False), out)
    if play is not None:
        paths += _episodes(what, play, out, seed)
    for path in paths:
        say(str(path))


def _evolution(task: str, curve: Path, out: Path) -> list[Path]:
    """How hard the levels were, as the report draws it; nothing without a curve of two points."""
    from rlbench.core.curves import read_curve
    from rlbench.reports.exhibits import draw
    from rlbench.suites.ued.views import difficulty

    plot = difficulty(task, {"this trial": [read_curve(curve)]} if curve.exists() else {})
    if not plot.panels:
        return []
    path = out / "evolution.png"
    path.write_bytes(draw(plot).png)
    return [path]


def _episodes(record: Path, play: str, out: Path, seed: int) -> list[Path]:
    """A GIF per maze."""
    import torch

    from rlbench.core.seeding import small_seed
    from rlbench.suites.ued.families import of_maze
    from rlbench.suites.ued.levelfile import read_levels
    from rlbench.suites.ued.render import render_episodes
    from rlbench.suites.ued.saved import evaluation_families, load_student

    torch.set_num_threads(1)
    if play == "task":
        families = evaluation_families(record)
    else:
        families = [of_maze(maze) for maze in read_levels(Path(play))]
    rng = torch.Generator().manual_seed(small_seed("ued", "render", seed))
    return render_episodes(load_student(record), families, out, rng)
