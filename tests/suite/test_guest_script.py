# SPDX-License-Identifier: GPL-2.0-only
"""What is run in the guest for a test: which passes, which tracer, which looks."""

from __future__ import annotations

import subprocess

import msgspec
import pytest

from harness.model import catalog
from harness.model.clock import Clock
from harness.model.matrix import Base
from harness.suite import guest_script, vm_pool
from harness.suite.plan import Plan, Session, Step
from tests.support import make


@pytest.fixture
def made(base: Base) -> Plan:
    return make.plan(base, tests=catalog.choose("all"), boots=2)


def parameters(words: tuple[str, ...]) -> dict[str, str]:
    """Return the module's parameters in a command."""
    return dict(word.split("=", 1) for word in words[words.index(vm_pool.MODULE) + 1 :])


def first(of: Plan, name: str) -> tuple[Session, Step]:
    """Return the first step that is called `name`, with its session."""
    return next((session, step) for session in of.sessions for step in session.steps if step.name == name)


def with_profile(of: Plan, profile: str) -> Plan:
    (built,) = of.cells
    return msgspec.structs.replace(
        of, cells=(msgspec.structs.replace(built, cell=msgspec.structs.replace(built.cell, profile=profile)),)
    )


def test_a_performance_test_has_a_warm_up_and_a_pass_for_latency(made: Plan) -> None:
    session, step = first(made, "le_fit_alloc_test")
    found = parameters(guest_script.command(made, session, step))
    assert found == {
        "tests": "le_fit_alloc_test",
        "loops": str(step.test.loops["quick"]),
        "busy": str(made.size.busy),
        "repeat": str(made.size.warmup + made.size.repeat),
        "settle": "1",
        "latency": "1",
        "memory": "1",
    }


def test_memory_is_looked_at_in_the_first_boot_alone(made: Plan) -> None:
    step = first(made, "le_fit_alloc_test")[1]
    timed = [s for s in made.sessions if step in s.steps]
    looks = {s.boot: "memory" in parameters(guest_script.command(made, s, step)) for s in timed}
    assert looks == {0: True, 1: False}
    later = msgspec.structs.replace(step, round=1)
    assert "memory" not in parameters(guest_script.command(made, made.sessions[0], later))
    assert parameters(guest_script.command(made, made.sessions[0], later))["latency"] == "0"


def test_a_stress_test_has_one_sample_a_thread(made: Plan) -> None:
    found = parameters(guest_script.command(made, *first(made, "mix_stress_test")))
    assert found["repeat"] == "1"
    assert "latency" not in found


def test_a_stress_test_has_the_threads_that_it_wants(made: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    make.suite_with(monkeypatch, mix_stress_test={"threads": 32, "clock": Clock.ICOUNT})
    session, step = first(made, "mix_stress_test")
    found = parameters(guest_script.command(made, session, step))
    assert found["threads"] == "32"
    assert session.boot > 0
    assert "memory" in found, "there is no other boot in which it could be looked at"
    assert "threads" not in parameters(guest_script.command(made, *first(made, "fragmentation_test")))


def test_errors_on_demand_are_prepared_and_put_back(made: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    make.suite_with(monkeypatch, mix_stress_test={"faults": True})
    plain, faulty = (guest_script.command(made, *first(made, name))[2] for name in ("fragmentation_test", "mix_stress_test"))
    assert "fail" not in plain
    assert (
        faulty.index("set_faults N 0 100\n")
        < faulty.index("insmod")
        < faulty.index("set_faults Y 1 0\n")
        < faulty.index(guest_script.END)
    )
    assert faulty.index("task-filter") < faulty.index("probability"), "allocations of others would fail"
    done = subprocess.run(("sh", "-n", "-c", faulty), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_leaks_are_looked_for_when_the_module_is_gone(made: Plan) -> None:
    debug = with_profile(made, "debug")
    words = guest_script.command(debug, *first(debug, "mix_stress_test"))
    assert words[2].index("echo clear") < words[2].index("insmod") < words[2].index("rmmod") < words[2].index("echo scan >")
    assert words[2].index("/proc/kallsyms") < words[2].index("rmmod"), "its functions have no names afterwards"
    done = subprocess.run(("sh", "-n", "-c", words[2]), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "kmemleak" not in guest_script.command(made, *first(made, "mix_stress_test"))[2]


def test_under_a_tracer_nothing_is_timed_twice(made: Plan) -> None:
    traced = with_profile(made, "latency")
    words = guest_script.command(traced, *first(traced, "long_busy_list_alloc_test"))
    found = parameters(words)
    assert (found["repeat"], found["trace"]) == ("1", "1")
    assert not {"latency", "memory"} & set(found)
    assert "echo preemptoff > current_tracer" in words[2]


def test_a_sweep_grows_one_thing_at_a_time(made: Plan) -> None:
    swept = msgspec.structs.replace(made, tests=("sweep_churn",))
    assert {
        k: v for k, v in parameters(guest_script.command(swept, *first(swept, "sweep_churn@holes=5000"))).items() if k != "loops"
    } == {
        "tests": "sweep_churn",
        "repeat": "1",
        "busy": "0",
        "holes": "5000",
    }
    assert parameters(guest_script.command(swept, *first(swept, "sweep_churn@busy=1000")))["busy"] == "1000"


@pytest.mark.parametrize("name", ["le_fit_alloc_test", "mix_stress_test"])
@pytest.mark.parametrize("profile", ["perf", "latency"])
def test_the_script_is_one_that_a_shell_takes(made: Plan, name: str, profile: str) -> None:
    planned = with_profile(made, profile)
    try:
        words = guest_script.command(planned, *first(planned, name))
    except StopIteration:
        assert (name, profile) == ("mix_stress_test", "latency")
        return
    assert subprocess.run(("sh", "-n", "-c", words[2]), capture_output=True, check=False).returncode == 0
    assert guest_script.END in words[2]


def test_the_published_protocol_does_not_settle(made: Plan) -> None:
    published = msgspec.structs.replace(made, scale="published", boots=0)
    session = published.sessions[0]
    rounds = [
        parameters(guest_script.command(published, session, step)) for step in session.steps if step.name == "le_fit_alloc_test"
    ]
    assert {p["settle"] for p in rounds} == {"0"}
    assert [(p["latency"], "memory" in p) for p in rounds] == [("0", False)] * 3 + [("1", True)]
    assert "memory" in parameters(guest_script.command(published, *first(published, "mix_stress_test")))
