# SPDX-License-Identifier: GPL-2.0-only
"""Several makes share one pool of jobs."""

from __future__ import annotations

import os
import select
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from pathlib import Path

import pytest

from harness.build.jobserver import Jobserver
from harness.host import shell

# The first jobs wait for the third, a while at most, so that a slow start of a make decides nothing.
MAKEFILE = """\
all: $(addprefix job,1 2 3 4 5)
job%:
\t@echo + >> $(TRACE); n=0; \\
\twhile [ $$(grep -c + $(TRACE)) -lt 3 ] && [ $$n -lt 100 ]; do n=$$((n + 1)); sleep 0.05; done; \\
\tsleep 0.05; echo - >> $(TRACE)
"""


def tokens(pool: Jobserver) -> int:
    """Take all tokens that are in the pool and return their number."""
    readable, _, _ = select.select([pool.fds[0]], [], [], 0)
    return len(os.read(pool.fds[0], 4096)) if readable else 0


@pytest.mark.parametrize(
    ("jobs", "builds", "at_once", "held"), [(8, 3, 3, 5), (4, 4, 4, 0), (1, 1, 1, 0), (2, 4, 2, 0), (1, 3, 1, 0)]
)
def test_the_pool_holds_what_the_makes_do_not_have_themselves(jobs: int, builds: int, at_once: int, held: int) -> None:
    with Jobserver(jobs, builds) as pool:
        assert pool.at_once == at_once
        assert tokens(pool) == held


def test_the_job_of_a_build_goes_to_the_next_one_and_then_to_the_others() -> None:
    with Jobserver(2, 3) as pool:
        pool.ended()
        assert tokens(pool) == 0, "the third build has it"
        pool.ended()
        pool.ended()
        assert tokens(pool) == 2


def test_the_pipe_is_closed() -> None:
    with Jobserver(4, 2) as pool:
        fds = pool.fds
    for fd in fds:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)


def test_two_makes_share_three_jobs(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(MAKEFILE)
    trace, logs = tmp_path / "trace", [tmp_path / "one.log", tmp_path / "two.log"]
    with Jobserver(3, 2) as pool, ThreadPoolExecutor(2) as threads:

        def make(log: Path) -> int:
            command = ("make", "-C", tmp_path, f"TRACE={trace}")
            return shell.follow(command, log=log, env={"MAKEFLAGS": pool.makeflags}, pass_fds=pool.fds)

        assert list(threads.map(make, logs)) == [0, 0]
        assert tokens(pool) == 1, "every make gave back what it took"
    running = list(accumulate(1 if line == "+" else -1 for line in trace.read_text().split()))
    assert len(running) == 20
    assert max(running) == 3
    assert not [log for log in logs if "jobserver" in log.read_text()]
