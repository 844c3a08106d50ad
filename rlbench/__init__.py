"""rlbench: benchmark suites and one honest evaluation harness."""

__version__ = "0.1.0"
