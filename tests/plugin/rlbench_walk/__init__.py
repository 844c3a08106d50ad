"""A third-party suite, used in tests: an agent learns to walk down a corridor."""
