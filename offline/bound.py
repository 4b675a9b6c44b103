"""Become a command that the kernel kills when the process that started us ends: ``bound.py PARENT COMMAND ...``.

A script of its own, because code between fork and exec of a process with threads (``preexec_fn``) can crash it.
The parent-death signal outlives exec; it is bound to the parent's thread that forked us.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1

ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):  # it ended before the signal was set
    os._exit(1)
os.execve(sys.argv[2], sys.argv[2:], dict(os.environ))  # noqa: S606 - the command is the caller's own, no shell is wanted
