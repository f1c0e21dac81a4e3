"""Tells what happens: numbered steps in plain words, in colour on a terminal only."""

import os
import sys
import time


class Narrator:
    """Writes to standard output."""

    def __init__(self):
        self._colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._step = 0
        self._start = time.monotonic()

    def step(self, title):
        """Begins a step."""
        self._step += 1
        since = time.monotonic() - self._start
        self._print("")
        self._print(self._paint("1;36", f"{self._step}. {title}") + self._paint("2", f"   (at {since:.1f} s)"))

    def say(self, text):
        """Something to know."""
        self._print(f"   {text}")

    def seen(self, text):
        """Something that was promised and has been seen."""
        self._print(f"   {self._paint('32', 'seen:')} {text}")

    def quote(self, source, text):
        """What a file holds or a program said."""
        for line in text.rstrip("\n").split("\n"):
            self._print(f"   {self._paint('33', source)} {self._paint('2', '|')} {line}")

    def end(self, ok, text):
        """The last line."""
        self._print("")
        self._print(self._paint("1;32" if ok else "1;31", text))

    def _paint(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self._colour else text

    @staticmethod
    def _print(line):
        print(line, flush=True)
