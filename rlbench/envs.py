"""Gymnasium ids of every interactive task: import this module, then `gymnasium.make`.

import gymnasium, rlbench.envs
env = gymnasium.make("rlbench/ued-maze-v1")
env = gymnasium.make("rlbench/skillhack-battle-v1")  # where NetHack is installed
"""

from importlib.util import find_spec

from rlbench.suites.ued import gym as ued

__all__ = ["ued"]

if find_spec("nle") is not None:
    from rlbench.suites.skillhack import gym as skillhack

    __all__ += ["skillhack"]
