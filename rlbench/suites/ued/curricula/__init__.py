"""The curricula, one file per family of methods; see `rlbench.suites.ued.interface`."""
