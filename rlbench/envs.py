"""Gymnasium ids of every interactive task: import this module, then `gymnasium.make`.

import gymnasium, rlbench.envs
env = gymnasium.make("rlbench/ued-maze-v1")
"""

from rlbench.suites.ued import gym as ued

__all__ = ["ued"]
