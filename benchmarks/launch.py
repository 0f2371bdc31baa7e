"""Run a command and print its process seconds, wall seconds and peak memory in MB.

A process of its own, and a small one: Linux counts to a new process the memory of the one that started it.
"""

import resource
import subprocess
import sys
import time

started = time.perf_counter()
status = subprocess.call(sys.argv[1:], stderr=subprocess.STDOUT)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"\n{used.ru_utime + used.ru_stime} {time.perf_counter() - started} {used.ru_maxrss / 1024}")
sys.exit(status)
