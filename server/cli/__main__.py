"""`python -m server.cli` is `wipline-hub`."""

from server.cli.commands import main

if __name__ == "__main__":
    main()
