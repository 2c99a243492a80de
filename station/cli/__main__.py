"""`python -m station.cli` is `wipline-station`."""

from station.cli.commands import main

if __name__ == "__main__":
    main()
