"""No comparison is skipped everywhere: what tests may lack is pinned, and `make test-peers` runs what no lock has."""

import re
import subprocess
from pathlib import Path

PROJECT = Path(__file__).parents[1]
MAY_LACK = re.compile(r"""importorskip\("(\w+)"|find_spec\("(\w+)"\) is None""")


def pinned(name: str) -> set[str]:
    text = (PROJECT / "requirements" / name).read_text()
    return {found.lower() for found in re.findall(r"^([\w.-]+)(?:\[.*\])?==", text, re.MULTILINE)}


def has(packages: set[str], module: str) -> bool:
    """Whether a module comes with one of the packages: of its name, or one that begins with it."""
    return any(package == module or package.startswith(f"{module}-") for package in packages)


def lacked() -> dict[str, set[Path]]:
    """Modules without which tests are skipped, and the files these tests are in."""
    found: dict[str, set[Path]] = {}
    for path in PROJECT.glob("tests/**/test_*.py"):
        for names in MAY_LACK.findall(path.read_text()):
            found.setdefault(next(filter(None, names)), set()).add(path.relative_to(PROJECT))
    return found


def test_each_package_that_a_test_may_lack_is_pinned() -> None:
    every = pinned("lock.txt") | pinned("neural.txt") | pinned("peers.txt")
    assert {"vectorbt", "empyrical", "purgedcv", "torch"} <= set(lacked())
    assert [module for module in lacked() if not has(every, module)] == []


def test_what_no_lock_has_is_compared_with_by_a_verb_that_a_change_must_pass() -> None:
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", "test-peers"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    locked = pinned("lock.txt") | pinned("neural.txt")
    theirs = {module: files for module, files in lacked().items() if not has(locked, module)}
    assert set(theirs) >= {"vectorbt", "empyrical"}
    for module, files in theirs.items():
        assert re.search(rf"-c 'import .*\b{module}\b", done.stdout), module
        assert [str(file) for file in files if str(file) not in done.stdout] == []
    assert "make test-peers" in (PROJECT / ".ci/run").read_text().splitlines()
