"""`python -m bertpipe`: the command, where its script is not on the path."""

from bertpipe.cli.main import main

if __name__ == "__main__":
    main()
