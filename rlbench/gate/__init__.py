"""The regression gate: what a check compares, how it decides, how it says so.

This room reads records and knows no suite and no engine; `rlbench.cli.checking` runs what is to be
compared and hands the records over.
"""
