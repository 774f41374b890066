"""`python -m bertpipe`: the command, where its script is not on the path."""

import sys

from bertpipe.cli.main import invoke

if __name__ == "__main__":
    status = invoke(sys.argv[1:])
    # An interrupt inside an exec(), of which importing is full, leaves a mark in CPython, and `python -m` then ends as
    # if the signal had killed it, whatever the exit status. Another exec() takes the mark away.
    exec("")
    sys.exit(status)
