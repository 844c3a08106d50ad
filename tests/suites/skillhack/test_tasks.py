"""The task files of the suite."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from nethack_levels import OURS, PUBLISHED, TASKS, settings_of

from rlbench.core.errors import SpecError
from rlbench.suites.skillhack.compile import compiled, level_file
from rlbench.suites.skillhack.settings import task_settings
from rlbench.suites.skillhack.suite import SUITE


def test_there_are_eighteen_skills_and_eight_tasks_in_two_versions() -> None:
    assert sorted(f"{name}-published" for name in OURS) == PUBLISHED
    assert len([name for name in OURS if not settings_of(name).skills]) == 18
    assert len([name for name in OURS if settings_of(name).skills]) == 8


@pytest.mark.parametrize("name", sorted(TASKS))
def test_every_task_is_well_formed_and_its_level_compiles(name: str) -> None:
    SUITE.check_task(TASKS[name])
    settings = settings_of(name)

    assert settings.published == name.endswith("-published")
    assert hashlib.sha256(level_file(settings.level).read_bytes()).hexdigest() == (
        settings.level_sha256
    )
    assert compiled(settings.level, settings.level_sha256).is_file()


@pytest.mark.parametrize("name", sorted(TASKS))
def test_a_task_needs_skills_of_its_own_version_that_there_are(name: str) -> None:
    for skill in settings_of(name).skills:
        assert not settings_of(skill).skills
        assert settings_of(skill).published == settings_of(name).published


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_card_of_a_published_task_says_what_is_odd_about_it(name: str) -> None:
    assert "quirks included:" in TASKS[name].card


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"levle": "eat"}, "params.levle: unknown key; did you mean 'level'"),
        ({"max_steps": 0}, "max_steps: expected at least 1, found 0"),
        ({"events": []}, "events, stairs_reward: expected something that pays"),
        ({"events": [{"messages": []}]}, "messages: expected texts"),
        ({"solvable": ["luck"]}, "solvable"),
    ],
)
def test_a_mistake_in_a_task_names_file_and_key(params: dict[str, object], expected: str) -> None:
    task = replace(TASKS["eat"], params={**TASKS["eat"].params, **params})

    with pytest.raises(SpecError, match=r"tasks/skillhack/eat\.toml") as caught:
        task_settings(task)
    assert expected in str(caught.value)


def test_a_primary_metric_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="primary: expected one of"):
        SUITE.check_task(replace(TASKS["eat"], primary="luck"))
