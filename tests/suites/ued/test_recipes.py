"""The recipes of the published codes, and the figures that are shown beside them."""

from __future__ import annotations

from typing import Any

import pytest

from rlbench.core.registry import Registry
from rlbench.core.spec import BaselineSpec, Published, TaskSpec
from rlbench.core.trial import resolve_params
from rlbench.suites.ued.metrics import METRICS

REGISTRY = Registry.load()
TASKS = [task for task in REGISTRY.tasks.values() if task.suite == "ued"]
VARIANTS = [spec for spec in REGISTRY.baselines.values() if spec.suite == "ued" and spec.variant]

DCD = {"lr": 1e-4, "gamma": 0.995, "gae_lambda": 0.95, "clip": 0.2, "epochs": 5}
DCD_25 = DCD | {"entropy_coef": 0.01}
DCD_60 = DCD | {"entropy_coef": 0.0, "count": "updates"}
REPLAY_25 = {"replay": 0.5, "temperature": 0.1, "staleness": 0.3, "score": "max-mc", "edits": 0}
REPLAY_60 = REPLAY_25 | {"temperature": 0.3, "score": "pvl"}
EDITS = {"replay": 0.8, "edits": 5, "mutator": "dcd", "edited": "easy", "base": "empty"}
JAXUED = {"lr": 1e-4, "gamma": 0.995, "gae_lambda": 0.98, "entropy_coef": 1e-3, "anneal": True}
REPLAY_JAXUED = {"replay": 0.8, "temperature": 0.3, "staleness": 0.3, "count": "rollouts"}
SFL = {"lr": 2.5e-4, "gamma": 0.99, "gae_lambda": 0.95, "clip": 0.04, "epochs": 4}


PUBLISHED = [(task, figure) for task in TASKS for figure in task.published]


@pytest.mark.parametrize(
    ("task", "name", "expected"),
    [
        ("maze-25-dcd", "dr+dcd", DCD_25),
        ("maze-25-dcd", "plr+dcd", DCD_25 | REPLAY_25 | {"robust": False}),
        ("maze-25-dcd", "plr-robust+dcd", DCD_25 | REPLAY_25 | {"robust": True}),
        ("maze-25-dcd", "plr-robust+dcd", {"count": "rollouts"}),
        ("maze-25-dcd", "paired+dcd", DCD | {"entropy_coef": 0.0, "students": 2}),
        ("maze-25-dcd", "minimax-adversary", DCD_25 | {"students": 1, "reward": "loss"}),
        ("maze-25-dcd", "repaired", DCD | {"replay": 0.95, "count": "rollouts"}),
        ("maze-60-dcd", "dr+dcd", DCD_60),
        ("maze-60-dcd", "plr-robust+dcd", DCD_60 | REPLAY_60),
        ("maze-60-dcd", "accel+dcd", DCD_60 | REPLAY_60 | EDITS),
        ("maze-25-jaxued", "dr+jaxued", JAXUED),
        ("maze-25-jaxued", "plr-robust+jaxued", JAXUED | REPLAY_JAXUED | {"edits": 0}),
        ("maze-25-jaxued", "accel+jaxued", JAXUED | REPLAY_JAXUED | {"edits": 5, "base": "task"}),
        ("maze-sfl", "dr+sfl", SFL | {"minibatches": 4, "entropy_coef": 0.0, "anneal": True}),
        ("maze-sfl", "sfl", SFL | {"refresh": 100, "batches": 5, "batch": 5000, "keep": 1000}),
        ("maze", "plr-robust+minimax", {"lr": 3e-4, "gamma": 0.999, "best_return": "last"}),
        ("maze", "accel-parallel+minimax", {"lr": 1e-4, "edits": 20, "best_return": "last"}),
    ],
)
def test_at_tier_paper_a_preset_has_the_settings_of_its_source(
    task: str, name: str, expected: dict[str, Any]
) -> None:
    recipe = REGISTRY.baselines[f"ued/{name}"]
    params = resolve_params(REGISTRY.tasks[f"ued/{task}"], recipe, "paper", {})

    assert {key: params[key] for key in expected} == expected


@pytest.mark.parametrize("spec", VARIANTS, ids=lambda spec: spec.row)
def test_a_variant_differs_from_the_default_recipe(spec: BaselineSpec) -> None:
    default = REGISTRY.baselines[spec.method]
    assert (spec.params, spec.overrides) != (default.params, default.overrides)
    assert spec.card


def test_there_are_published_figures() -> None:
    assert len(PUBLISHED) == 7 * 6 + 12 * 3 + 6 * 2


@pytest.mark.parametrize(
    ("task", "figure"),
    PUBLISHED,
    ids=lambda item: item.name if isinstance(item, TaskSpec) else f"{item.baseline} {item.metric}",
)
def test_a_published_figure_is_about_a_recipe_a_metric_and_a_tier_that_there_are(
    task: TaskSpec, figure: Published
) -> None:
    assert f"ued/{figure.baseline}" in REGISTRY.baselines
    assert figure.tier == "paper"
    assert figure.metric in METRICS
    assert 0 <= figure.value <= 1
    kind, _, maze = figure.metric.partition(".")
    assert kind != "solve" or maze in task.params["mazes"]
