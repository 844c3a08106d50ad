"""The command line: human text to stderr, data to stdout, exit codes of `core.errors`."""
