"""`python -m rlbench`."""

from rlbench.cli.main import main

if __name__ == "__main__":
    main()
