"""One line to a person on stderr, also when nobody is there to read it."""

import contextlib
import sys


def say(line: str) -> None:
    # A closed stream raises ValueError, a broken pipe OSError; a detached process has no stream at all.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
