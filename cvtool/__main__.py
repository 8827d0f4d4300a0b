"""`python -m cvtool` is the command `cvtool`."""

from cvtool.cli.main import main

if __name__ == "__main__":
    main()
