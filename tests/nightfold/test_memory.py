"""Memory that is freed stays for what comes next."""

import os
import platform
import subprocess
import sys

import pytest

COUNT = """
import resource
import numpy as np
from nightfold.memory import keep_freed_memory

def new_pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        held = [np.ones(2**19) for _ in range(5)]
        del held
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

found = []
for prepare in (lambda: None, keep_freed_memory):
    prepare()
    new_pages()
    found.append(new_pages())
print(*found)
"""
"""New pages of a process for 20 MB in arrays of 4, made and dropped again and again: as it comes, and when prepared."""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="elsewhere it does nothing")
def test_arrays_of_a_few_megabytes_are_made_of_pages_that_were_freed() -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run([sys.executable, "-c", COUNT], env=plain, capture_output=True, text=True, check=True)
    before, after = (int(number) for number in done.stdout.split())
    if not before:
        pytest.skip("this system does not count new pages")
    assert before > 4 * (after + 1)
