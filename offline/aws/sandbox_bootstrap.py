"""First code in a sandbox: put the task root and the runtime on the path, nothing else, and start the runtime client.

Runs as a script under ``python -I -S`` (no site packages, no environment variables that Python reads), started by the
runtime interface emulator: ``sandbox_bootstrap.py TASK_ROOT RUNTIME LOG HANDLER``. It imports nothing of ours.
"""

import ctypes
import os
import runpy
import signal
import sys

# Die with the emulator, so that no function outlives it.
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() == 1:
    os._exit(1)

task_root, runtime, log, handler = sys.argv[1:5]

# The function's own output goes to its log; the emulator's chatter stays out of it.
descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
os.dup2(descriptor, 1)
os.dup2(descriptor, 2)
os.close(descriptor)

# -I -S has left the standard library only; a script's own folder is not on the path under -I.
sys.path.insert(0, task_root)
sys.path.append(runtime)
sys.argv = ["awslambdaric", handler]
runpy.run_module("awslambdaric", run_name="__main__")
