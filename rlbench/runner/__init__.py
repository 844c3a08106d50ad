"""Specs to trials, trials to records; knows no suite by name."""
