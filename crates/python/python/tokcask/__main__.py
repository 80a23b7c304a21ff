"""The command `tokcask`, also as `python -m tokcask`."""

import signal
import sys

from ._tokcask import command


def main() -> int:
    # It has no use for Python's way of being interrupted, which waits for Python code to run.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return command(["tokcask", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
