"""Skills and tasks in NetHack (Matthews et al. 2022, arXiv:2207.11584)."""
