"""The command line from a checkout: `python run.py` is `mats`."""

from actors.cli import main

if __name__ == "__main__":
    main()
