# SPDX-License-Identifier: GPL-2.0-only
"""Mistakes on the command line: one clear sentence, exit code 1, and nothing done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import paths
from harness.stats.outcome import ExitCode


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("test", "--resume", "--boots", "2"), "of the other options only --jobs and --cluster go with it"),
        (("test", "--resume"), "was interrupted"),
        (("test", "--resume", "nowhere"), "There is no run 'nowhere'"),
        (("sweep", "--tests", "all"), "--tests all has tests that are no sweep"),
        (("sweep", "--tests", "le_fit_alloc_test"), "--tests le_fit_alloc_test has tests that are no sweep"),
        (("sweep", "--profile", "latency"), "The profile 'latency' runs none of the chosen tests"),
        (("selfcheck", "--experiments", "none"), "--experiments has to be a whole number, not 'none'"),
        (("selfcheck", "--experiments", "2.5"), "--experiments has to be a whole number, not '2.5'"),
        (("selfcheck", "--variant", "stock"), "--variant has no meaning in a self check"),
        (("audit", "--boots", "2"), "--boots has no meaning in an audit"),
        (("audit", "--on-failure", "keep"), "--on-failure has no meaning in an audit"),
        (("mutants", "--only", "no-such-bug"), "There is no mutant 'no-such-bug'"),
        (("mutants", "--variant", "stock"), "Linux 4.18 has no mutants of stock"),
        (("bisect", "gap-tree"), "A bisect judges each prefix by a test; name it with --test"),
        (("bisect", "gap-tre", "--test", "vmap_test"), "There is no variant 'gap-tre' for Linux 4.18"),
        (("bisect", "gap-tree", "--test", "vmap"), "There is no test 'vmap'"),
        (("bisect", "gap-tree", "--test", "vmap_test", "--tests", "all"), "--test and --tests exclude each other"),
        (("bisect", "gap-tree", "--test", "vmap_test", "--tries", "0"), "--tries has to be a whole number from 1"),
        (("bisect", "gap-tree", "--test", "vmap_test", "--metric", "p99"), "There is no metric 'p99'"),
        (("bisect", "gap-tree", "--test", "vmap_test", "--keep"), "--keep has no meaning in a bisect"),
        (("bisect", "--resume"), "There is no bisect to resume in "),
        (("bisect", "--resume", "nowhere"), "There is no bisect 'nowhere'"),
        (("bisect", "gap-tree", "--resume"), "of other options only --jobs and --cluster go with it"),
        (("bisect", "--resume", "--test", "vmap_test"), "of other options only --jobs and --cluster go with it"),
        (("series.each", "gap-tre"), "There is no variant 'gap-tre' for Linux 4.18"),
        (("series.each", "stock"), "`invoke series.each` needs a series"),
        (("series.each", "gap-tree", "--each-patch"), "--each-patch has no meaning in `invoke series.each`"),
        (("series.each", "--profile", "perf,debug"), "takes kernels of one profile"),
        (("soak", "--hours", "0"), "--hours has to be a number of at least 0.001 and at most 8760, not '0'"),
        (("soak", "--seed", "1.5"), "--seed has to be a whole number, not '1.5'"),
        (("soak", "--seed", "1e20"), "--seed has to be a whole number"),
        (("soak", "--tests", "lazy_pages_test"), "None of the tests 'lazy_pages_test' can be part of a soak"),
        (("trace", "le_fit_alloc_test"), "Which events are to be recorded"),
        (("trace", "le_fit", "--events", "vfree"), "There is no test 'le_fit'"),
        (("trace", "le_fit_alloc_test", "--events", "vfree", "--buffer", "0"), "--buffer has to be a whole number from 1"),
        (("trace", "le_fit_alloc_test", "--events", "vfree", "--output", "/proc"), "--output /proc is there already"),
        (("trace", "le_fit_alloc_test", "--events", "vfree", "--profile", "perf"), "--profile has no meaning for a trace"),
        (("build", "--kernel", "4.18,6.13"), "There is no kernel '6.13' in kernel_patches/"),
        (("test", "--kernel", "4.18,6.1", "--source", "."), "--source is the source of one kernel; name one with --kernel"),
        (("mutants", "--kernel", "4.18,6.1"), "`invoke mutants` takes one kernel base, and --kernel names several: 4.18,6.1"),
        (("build", "--dry-run", "--kernel", "4.18,6.1"), "A script of --dry-run is for one kernel base"),
        (("export", "nowhere", "--format", "kcidb"), "There is no run 'nowhere'"),
        (("lava", "nowhere"), "Say with --output which folder to write"),
        (("lava", "nowhere", "--output", "x"), "There is no run 'nowhere'"),
        (("compare", "here", "there"), "There is no run 'here'"),
        (("baseline", "nowhere"), "There is no run 'nowhere'"),
        (("history", "--test", "no_such_test"), "no_such_test"),
        (("nightly", "--keep-cache", "much"), "--keep-cache has to be a number of at least 0 and at most"),
        (("dismiss", "1a2b3c4d"), "A dismissal needs a reason, which reports will show; say --why"),
        (("dismiss", "1a2b3c4d", "--why", "ours"), "There is no finding '1a2b3c4d': no run in the history has"),
        (("dismiss", "xyz", "--why", "ours"), "'xyz' is no fingerprint: that has 8 hexadecimal digits"),
        (("dismiss", "1a2b3c4d", "--undo"), "nothing with it is dismissed"),
        (("dismiss", "1a2b3c4d", "--undo", "--why", "ours"), "--why and --undo exclude each other"),
        (("series.add", "nowhere"), "There is no series at nowhere; name a file, a folder, TREE:BASE..TIP"),
        (("series.add", "tasks.py"), "tasks.py is no patch: git knows no diff in it; save it anew"),
        (("series.check",), "Name the series to check"),
        (("series.check", "stock"), "'stock' has no patches to check"),
        (("cache", "--keep", "3"), "--keep says how much --prune leaves; give both"),
        (("cache", "--prune", "--keep", "-1"), "--keep has to be a number of at least 0 and at most"),
        (("nightly", "--keep-runs", "0"), "--keep-runs has to be a whole number from 1 to 2 to the power of 32, not '0'"),
        (("nightly", "--keep-runs", "1.5"), "--keep-runs has to be a whole number, not '1.5'"),
        (("nightly", "--keep-size", "1e300"), "--keep-size has to be a number of at least 0 and at most"),
        (("try",), "Which kernel tree has the edits? Name it with --tree"),
        (("try", "--tree", "/"), "/ is no git checkout"),
        (("try", "--tree", "/nowhere"), "There is no folder /nowhere"),
        (("try", "--tree", "/", "--variant", "stock"), "--variant has no meaning here"),
        (("watch",), "Which kernel tree has the edits? Name it with --tree"),
        (("build", "--dry-run", "--keep"), "--keep has no meaning with --dry-run, because its script ends each VM"),
        (("test", "--dry-run", "--on-failure", "core"), "--on-failure has no meaning with --dry-run"),
        (("test", "--dry-run", "--resume"), "--resume and --dry-run exclude each other"),
        (("build", "--dry-run", "soak"), "--dry-run goes with select, build, boot, test, sweep, try alone, and not with soak"),
        (("select", "--dry-run", "soak"), "and not with soak; leave one of them out"),
        (("test", "--dry-run", "--variant", "gap-tre"), "There is no variant 'gap-tre' for Linux 4.18"),
        (("test", "--dry-run", "--ktap"), "--ktap and --dry-run exclude each other"),
        (("test", "--ktap", "--kernel", "4.18,6.1"), "--ktap prints one run; call the rig once for each kernel base"),
        (("sweep", "--dry-run", "--tests", "all"), "--tests all has tests that are no sweep"),
        (("try", "--dry-run"), "Which kernel tree has the edits? Name it with --tree"),
        (("test", "--cluster", "nowhere"), "--cluster has to be the address of a scheduler such as tls://host:8786, not 'nowhere'"),
        (("nightly", "--cluster", "tcp://10.0.0.7:8786"), "whoever reaches a port without TLS runs code there"),
        (("test", "--cluster", "tls://a:1", "--keep"), "--keep and --cluster exclude each other"),
        (("test", "--dry-run", "--cluster", "tls://a:1"), "--cluster has no meaning with --dry-run"),
        (("select", "--cluster", "tls://a:1", "audit"), "--cluster has no meaning for `invoke audit`, which hands nothing"),
        (("select", "--cluster", "tls://a:1", "boot"), "--cluster has no meaning for `invoke boot`, which hands nothing"),
        (("build", "--cluster", "nowhere"), "--cluster has to be the address of a scheduler"),
        (("build", "--dry-run", "--cluster", "tls://a:1"), "--cluster has no meaning with --dry-run"),
        (("bisect", "--cluster", "tcp://a:1", "--test", "vmap_test"), "whoever reaches a port without TLS runs code there"),
        (("mutants", "--cluster", "nowhere"), "--cluster has to be the address of a scheduler"),
        (("soak", "--cluster", "nowhere"), "--cluster has to be the address of a scheduler"),
        (("series.each", "--cluster", "nowhere"), "--cluster has to be the address of a scheduler"),
        (("try", "--cluster", "nowhere"), "--cluster has to be the address of a scheduler"),
        (("cluster.up", "--listen", "tcp://0.0.0.0:8786"), "whoever reaches a port without TLS runs code there"),
        (("cluster.up", "--workers", "0"), "--workers has to be a whole number from 1"),
        (("cluster.up", "--hosts", "a,b c"), "--hosts has to be hosts such as a,user@b,c:2222, but 'b c' is none"),
        (
            ("cluster.up", "--hosts", "a.invalid"),
            "a.invalid cannot reach a scheduler at tls://127.0.0.1:8786; let --listen name this",
        ),
        (("cluster.up", "--hosts", "localhost:1"), "localhost:1 does not answer: "),
        (("cluster.up", "--silence", "0"), "--silence has to be a number of at least 1 and at most 3600, not '0'"),
        (("build", "--boots", "many"), "--boots has to be a whole number, not 'many'"),
        (("build", "--boots", "0"), "--boots has to be a whole number from 1 to 2 to the power of 32, not '0'"),
        (("build", "--module", "/nowhere"), "--module takes a folder with the sources of a module, but /nowhere is not there"),
        (("build", "--module-args", "a=1"), "--module-args is for the module of --module"),
        (("select", "--module", "test_module", "sweep"), "--module goes with build, boot, test, try and watch alone"),
        (("test", "--module", "test_module", "--tests", "all"), "--tests is for the rig's own tests, whose place --module takes"),
        (("build", "--toolchain", "clang"), "There is no toolchain 'clang'; known are gcc, llvm."),
        (("test", "--toolchain", "llvm"), "Linux 4.18 cannot be built with --toolchain llvm: make's LLVM=1 came with 5.7"),
        (("build", "--kernel", "6.12,4.18", "--toolchain", "llvm"), "Linux 4.18 cannot be built with --toolchain llvm"),
        (("build", "--jobs", "0"), "--jobs has to be a whole number from 1"),
        (("build", "--margin", "0"), "--margin has to be above 0, not '0'"),
        (("build", "--loops", "1e308"), "--loops has to be a share of the scale's operations above 0 and at most 1e+06"),
        (("build", "--loops", "x"), "--loops has to be a number of at least 0, not 'x'"),
        (("build", "--series", "~no-such-user/x"), "--series has '~no-such-user/x', but there is no such user"),
        (("build", "--source", "~no-such-user/x"), "--source or RIG_SOURCE has '~no-such-user/x', but there is no such user"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else "",
)
def test_a_mistake_is_said_in_a_sentence(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    is_one_sentence(words, said, RIG_RESULTS=str(tmp_path / "results"))


@pytest.mark.parametrize(
    "task", ["build", "boot", "test", "sweep", "soak", "selfcheck", "mutants", "audit", "nightly", "series.each"]
)
def test_a_cache_that_cannot_be_built_in_is_said_before_all_else(task: str, tmp_path: Path) -> None:
    unfit = tmp_path / "with space"
    is_one_sentence((task,), "its path has a space", RIG_RESULTS=str(tmp_path / "results"), RIG_CACHE=str(unfit))
    assert not list(unfit.glob("sources")), "nothing was fetched"


def is_one_sentence(words: tuple[str, ...], said: str, **env: str) -> None:
    """Hold that a command ends with one line that has the words `said`."""
    command = (sys.executable, "-m", "invoke", *words)
    done = subprocess.run(command, cwd=paths.PROJECT, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    assert_a_sentence(done, said)


def assert_a_sentence(done: subprocess.CompletedProcess[str], said: str) -> None:
    assert done.returncode == ExitCode.RIG_FAILED, done.stdout + done.stderr
    assert said in done.stderr
    assert done.stderr.startswith("kernel-patch-rig: ")
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("RIG_RESULTS", "~no-such-user", "RIG_RESULTS has '~no-such-user', but there is no such user"),
        ("RIG_CACHE", "~no-such-user/x", "RIG_CACHE has '~no-such-user/x', but there is no such user"),
        ("RIG_CACHE", "x" * 300, "File name too long"),
        ("PYTHONPATH", "shadow", "the Python module 'rich' is missing; ./bootstrap installs"),
    ],
)
def test_an_environment_that_cannot_be_is_said_in_a_sentence(variable: str, value: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "shadow/rich").mkdir(parents=True)
    (tmp_path / "shadow/rich/__init__.py").write_text("raise ModuleNotFoundError('gone', name='rich')\n")
    value = str(tmp_path / value) if value == "shadow" else value
    env = {**os.environ, "RIG_CACHE": str(tmp_path / "cache"), "RIG_RESULTS": str(tmp_path / "results"), variable: value}
    command = (sys.executable, "-m", "invoke", "status")
    done = subprocess.run(command, cwd=paths.PROJECT, env=env, capture_output=True, text=True, check=False)
    assert_a_sentence(done, said)


def test_a_word_may_be_left_out_where_nothing_follows(tmp_path: Path) -> None:
    env = {**os.environ, "RIG_RESULTS": str(tmp_path)}
    for words, said in ((("dismiss",), "Nothing is dismissed."), (("--help", "dismiss"), "--why=STRING")):
        command = (sys.executable, "-m", "invoke", *words)
        done = subprocess.run(command, cwd=paths.PROJECT, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert said in done.stdout
