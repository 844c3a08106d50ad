"""How an episode begins."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from nethack_levels import settings_of

from rlbench.core.errors import RlbenchError
from rlbench.suites.skillhack.compile import compiled
from rlbench.suites.skillhack.game import new_rows
from rlbench.suites.skillhack.play import Play
from rlbench.suites.skillhack.seeding import Purpose, episode_seed

DEADLY: tuple[int, Purpose, int, int] = (2400154314071552472, "train", 1, 3)
"""One level in some ten thousand: Grayswandir is in the hand before the first move, and kills."""


@pytest.fixture
def play() -> Iterator[Play]:
    settings = settings_of("wield")
    rows = {name: row[0] for name, row in new_rows(1).items()}
    play = Play(settings, compiled(settings.level, settings.level_sha256), rows)
    yield play
    play.close()


def test_a_level_that_kills_before_the_first_move_is_drawn_again(play: Play) -> None:
    play.begin(*DEADLY)
    assert play.seed == episode_seed(*DEADLY, attempt=1)
    assert play.game.rows["blstats"][10] > 0  # hit points


def test_such_a_level_cannot_be_asked_for(play: Play) -> None:
    with pytest.raises(RlbenchError, match=r"'wield'.*the hero dies before the first move"):
        play.begin_at(episode_seed(*DEADLY))
    play.begin_at(episode_seed(*DEADLY, attempt=1))
    assert not play.game.over
