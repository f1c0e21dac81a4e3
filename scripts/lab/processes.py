"""Children that never outlive us, and waiting by asking again."""

import ctypes
import signal
import subprocess
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1


def _die_with_parent():
    # Also where we are killed and run no clean-up.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Failed(Exception):
    """A step was not seen; the text says which."""


class Children:
    """Every process that was started, stopped together at the end in reverse order."""

    def __init__(self):
        self._all = []

    def start(self, command, **options):
        """Starts a child in a session of its own, so that Ctrl-C reaches us only and we stop it."""
        child = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_parent,
            **options,
        )
        self._all.append(child)
        return child

    def start_timed(self, command, **options):
        """Starts a child whose start is measured: to run something of ours between fork and exec makes Python copy
        all of itself first, which takes longer than what is measured. So it outlives us where we are killed."""
        words = [str(word) for word in command]
        child = subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True, **options)
        self._all.append(child)
        return child

    def stop(self):
        """Kills what still runs and waits for it."""
        for child in reversed(self._all):
            if child.poll() is None:
                child.kill()
            child.wait()
        self._all.clear()


def wait_for(what, seconds, probe):
    """Asks `probe` until it answers something true and returns that; raises Failed naming `what`."""
    end = time.monotonic() + seconds
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failed(f"{what}: not seen within {seconds} s")
        time.sleep(0.0005)


def memory(pid):
    """Resident and private memory of a process in KiB; the latter None where we may not look."""
    status = Path(f"/proc/{pid}/status").read_text()
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except PermissionError:
        # A process that cannot be dumped shows its maps to root only.
        return resident, None
    fields = {line.split(":")[0]: int(line.split()[1]) for line in rollup.splitlines()[1:]}
    return resident, fields["Private_Clean"] + fields["Private_Dirty"]
