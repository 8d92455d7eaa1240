# SPDX-License-Identifier: GPL-2.0-only
"""What is run in the guest for a test: which passes, which tracer, which looks."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from harness.kernlog import kmemleak
from harness.model import catalog
from harness.model.clock import Clock
from harness.model.foreign import Foreign
from harness.model.matrix import Base
from harness.suite import attribution, guest_script, vm_pool
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


def passes(of: Plan, session: Session, step: Step) -> list[str]:
    """Return the passes of the script that make up a step."""
    words = guest_script.command(of, session, step)
    return words[words.index(vm_pool.MODULE) - 1].split()


def faulty_step(of: Plan) -> tuple[Session, Step]:
    """Return a step whose test makes allocations fail, with its session."""
    session, step = first(of, "fragmentation_test")
    return session, msgspec.structs.replace(step, test=msgspec.structs.replace(step.test, faults=True))


def test_errors_on_demand_are_prepared_and_put_back(made: Plan) -> None:
    plain, faulty = passes(made, *first(made, "fragmentation_test")), passes(made, *faulty_step(made))
    assert plain == ["print_memory:before", "insert", "remove", "print_log", "print_memory:after"]
    assert faulty == ["allow_faults", *plain, "forbid_faults"]


def test_leaks_are_looked_for_when_the_module_is_gone(made: Plan) -> None:
    debug = with_profile(made, "debug")
    session, step = first(debug, "mix_stress_test")
    whole = passes(debug, session, step)
    assert whole[0] == "clear_leaks"
    assert whole[-1] == f"print_leaks:{kmemleak.MOST}"
    assert whole.index("print_names") + 1 == whole.index("remove"), "its functions have no names afterwards"
    between = msgspec.structs.replace(step, clears=False, scans=False)
    assert not [name for name in passes(debug, session, between) if "leaks" in name]


def test_a_soak_looks_at_memory_at_rest_alone(made: Plan) -> None:
    soaked = msgspec.structs.replace(made, hours=1.0)
    session, step = first(soaked, "mix_stress_test")
    assert passes(soaked, session, step) == ["insert", "remove", "print_log", "print_memory_at_rest"]
    assert "memory" not in parameters(guest_script.command(soaked, session, step))


def test_under_a_tracer_nothing_is_timed_twice(made: Plan) -> None:
    traced = with_profile(made, "latency")
    words = guest_script.command(traced, *first(traced, "long_busy_list_alloc_test"))
    found = parameters(words)
    assert (found["repeat"], found["trace"]) == ("1", "1")
    assert not {"latency", "memory"} & set(found)
    traced_passes = passes(traced, *first(traced, "long_busy_list_alloc_test"))
    assert traced_passes == ["start_tracer:preemptoff", "insert", "remove", "print_log", "print_trace"]


def traced(step: Step) -> Step:
    return msgspec.structs.replace(step, traced=True)


def test_a_traced_test_is_recorded_once_and_not_looked_at(made: Plan) -> None:
    session, step = first(made, "le_fit_alloc_test")
    found = parameters(guest_script.command(made, session, traced(step)))
    assert found == {
        "tests": "le_fit_alloc_test",
        "loops": str(step.test.loops["quick"]),
        "busy": str(made.size.busy),
        "repeat": "1",
        "trace": "1",
    }
    assert passes(made, session, traced(step)) == ["insert", "remove", "print_log"]


def test_a_traced_stress_test_has_the_threads_that_it_wants(made: Plan) -> None:
    session, step = first(made, "lazy_pcpu_test")
    found = parameters(guest_script.command(made, session, traced(step)))
    assert (found["threads"], found["repeat"], found["trace"]) == ("32", "1", "1")
    assert "memory" not in found


def test_a_traced_sweep_keeps_its_size(made: Plan) -> None:
    swept = msgspec.structs.replace(made, tests=("sweep_churn",))
    session, step = first(swept, "sweep_churn@busy=5000")
    found = parameters(guest_script.command(swept, session, traced(step)))
    assert (found["busy"], found["repeat"], found["trace"]) == ("5000", "1", "1")


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


def watched(of: Plan) -> Plan:
    """The plan where QEMU has its plugin."""
    return msgspec.structs.replace(of, cells=tuple(msgspec.structs.replace(built, plugin=Path("/blocks.so")) for built in of.cells))


def counting(of: Plan, name: str = "le_fit_alloc_test") -> tuple[Session, Step]:
    """Return the step `name` of the session that counts instructions by function."""
    return next((session, step) for session in of.sessions if session.counts for step in session.steps if step.name == name)


def test_where_instructions_are_counted_there_is_one_sample_after_the_warm_up(made: Plan) -> None:
    of = watched(made)
    found = parameters(guest_script.command(of, *counting(of)))
    assert found == {
        "tests": "le_fit_alloc_test",
        "loops": str(counting(of)[1].test.loops["quick"]),
        "busy": str(of.size.busy),
        "repeat": str(of.size.warmup + 1),
        "settle": "1",
    }
    assert passes(of, *counting(of)) == ["insert", "print_sections", "remove", "print_log"]
    assert "print_sections" not in passes(of, *first(of, "le_fit_alloc_test")), "the boots that are timed go on as without"
    assert "print_sections" not in passes(of, *first(of, "mix_stress_test"))


class Guest:
    """The guest's files in a folder of the host, and programs that only write down how they were called.

    Insmod is none that the name alone finds: in the guest that would be BusyBox's, which loads a module twice.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("failslab", "fail_page_alloc", "kmemleak"):
            (folder / "sys/debug" / name).mkdir(parents=True) if "fail" in name else (folder / "sys/debug" / name).touch()
        for program in ("insmod", "rmmod", "dmesg", "mount", "sleep", "grep", "head"):
            self.has(program)
        (folder / "programs/cat").symlink_to(shutil.which("cat") or "cat")

    def has(self, program: str, code: int = 0, says: str = "") -> None:
        """Have a program that `says` something on standard error and ends with `code`."""
        file = self.folder / ("sbin" if program == "insmod" else "programs") / program
        file.parent.mkdir(exist_ok=True)
        said = f"echo '{says}' >&2\n" if says else ""
        file.write_text(f'#!/bin/sh\necho "{program} $*" >> {self.folder}/calls\n{said}exit {code}\n')
        file.chmod(0o755)

    def run(self, *words: str) -> tuple[int, list[str]]:
        """Run a command of the guest; return its exit code and how programs were called."""
        return self.told(*words)[:2]

    def told(self, *words: str) -> tuple[int, list[str], str]:
        """Run a command of the guest; return its exit code, how programs were called, and what it printed."""
        script = words[2].replace("/dev/kmsg", f"{self.folder}/calls").replace("/sys/kernel", f"{self.folder}/sys")
        script = script.replace("/sbin/", f"{self.folder}/sbin/")
        for file in ("calls", "sys/debug/kmemleak"):
            script = script.replace(f"> {self.folder}/{file}", f">> {self.folder}/{file}")
        env = {"PATH": str(self.folder / "programs")}
        shell = shutil.which("sh") or "sh"
        done = subprocess.run((shell, "-c", script, *words[3:]), env=env, capture_output=True, text=True, check=False)
        return done.returncode, (self.folder / "calls").read_text().splitlines(), done.stdout

    def setting(self, name: str) -> str:
        return (self.folder / "sys/debug" / name).read_text().strip()


def test_the_script_loads_the_module_and_unloads_it(made: Plan, tmp_path: Path) -> None:
    step = first(made, "fragmentation_test")
    words = guest_script.command(made, *step)
    code, calls = Guest(tmp_path).run(*words)
    assert code == 0
    assert calls == [
        "dmesg -c",
        f"{guest_script.BEGIN}: fragmentation_test",
        f"insmod {' '.join(words[words.index(vm_pool.MODULE) :])}",
        "rmmod vmalloc_test",
        "dmesg ",
        guest_script.END,
    ]


@pytest.mark.parametrize("program", ["insmod", "rmmod"])
def test_a_module_that_does_not_load_or_unload_ends_the_script(made: Plan, tmp_path: Path, program: str) -> None:
    guest = Guest(tmp_path)
    guest.has(program, code=1)
    code, calls = guest.run(*guest_script.command(made, *first(made, "fragmentation_test")))
    assert code == 1
    assert calls[-1].split()[0] == program, "no end is marked"


def test_errors_on_demand_are_switched_on_for_marked_tasks_alone(made: Plan, tmp_path: Path) -> None:
    guest = Guest(tmp_path)
    words = guest_script.command(made, *faulty_step(made))
    assert words[2].index("/task-filter") < words[2].index("/probability"), "allocations of others would fail"
    assert guest.run(*words)[0] == 0
    assert (guest.setting("failslab/task-filter"), guest.setting("failslab/probability")) == ("Y", "0"), "put back"
    assert (guest.setting("failslab/ignore-gfp-wait"), guest.setting("fail_page_alloc/ignore-gfp-wait")) == ("Y", "Y")


def test_leaks_are_cleared_before_and_scanned_for_afterwards(made: Plan, tmp_path: Path) -> None:
    debug = with_profile(made, "debug")
    guest = Guest(tmp_path)
    code, calls = guest.run(*guest_script.command(debug, *first(debug, "mix_stress_test")))
    assert code == 0
    assert guest.setting("kmemleak").split() == ["scan=off", "clear", "scan", "scan"]
    order = [call.split()[0] for call in calls]
    assert order.index("insmod") < order.index("grep") < order.index("rmmod") < order.index("sleep")
    (tmp_path / "sys/debug/kmemleak").unlink()
    (tmp_path / "sys/debug/kmemleak").mkdir()
    (tmp_path / "calls").unlink()
    assert guest.run(*guest_script.command(debug, *first(debug, "mix_stress_test")))[0] == 1, "it has switched itself off"


def test_the_script_has_every_pass_and_every_mark(made: Plan) -> None:
    script = guest_script.command(made, *first(made, "mix_stress_test"))[2]
    functions = set(re.findall(r"^(\w+)\(\) \{$", script, re.M))
    soaked = msgspec.structs.replace(made, hours=1.0)
    other = msgspec.structs.replace(made, module=Foreign("mine", "0" * 64))
    named = {
        name.partition(":")[0]
        for plan in (made, soaked, other, watched(made), *(with_profile(made, profile) for profile in ("debug", "latency")))
        for session in plan.sessions
        for step in session.steps
        for name in passes(plan, session, step)
    }
    assert named <= functions
    assert functions - named == {"mark", "need_debugfs", "set_faults", "scan"}, "helpers of the passes"
    for mark in ("BEGIN", "END", "MEMORY", "TRACE", "REST", "LEAKS", "SECTIONS"):
        prefix, words = getattr(guest_script, mark).split(": ", 1)
        assert f'echo "{prefix}: $*"' in script
        assert re.search(rf'^ *mark "?{words}\b', script, re.M)


def test_the_published_protocol_does_not_settle(made: Plan) -> None:
    published = made.with_settings(scale="published", boots=0)
    session = published.sessions[0]
    rounds = [
        parameters(guest_script.command(published, session, step)) for step in session.steps if step.name == "le_fit_alloc_test"
    ]
    assert {p["settle"] for p in rounds} == {"0"}
    assert [(p["latency"], "memory" in p) for p in rounds] == [("0", False)] * 3 + [("1", True)]
    assert "memory" in parameters(guest_script.command(published, *first(published, "mix_stress_test")))


def between(printed: str) -> str:
    """Return what the guest printed of the module's sections."""
    return printed.partition(f"{guest_script.SECTIONS} begin\n")[2].partition(f"{guest_script.SECTIONS} end")[0]


def test_the_guest_prints_the_addresses_of_the_modules_code(made: Plan, tmp_path: Path) -> None:
    of = watched(made)
    guest = Guest(tmp_path)
    words = guest_script.command(of, *counting(of))
    script = words[2].replace("/sys/module", f"{tmp_path}/sys/module")
    sections = tmp_path / "sys/module/vmalloc_test/sections"
    sections.mkdir(parents=True)
    for name, address in ((".text", 0xFFFFFFFFA0000000), (".text.unlikely", 0xFFFFFFFFA0004000), (".data", 0xFFFFFFFFA0008000)):
        (sections / name).write_text(f"{address:#x}\n")
    code, _, printed = guest.told(*words[:2], script, *words[3:])
    assert code == 0
    assert between(printed) == ".text 0xffffffffa0000000\n.text.unlikely 0xffffffffa0004000\n"


def test_without_sections_the_guest_prints_none(made: Plan, tmp_path: Path) -> None:
    of = watched(made)
    words = guest_script.command(of, *counting(of))
    script = words[2].replace("/sys/module", f"{tmp_path}/sys/module")
    code, calls, printed = Guest(tmp_path).told(*words[:2], script, *words[3:])
    assert code == 0
    assert any(call.startswith("rmmod") for call in calls), "the test goes on"
    assert attribution.sections(between(printed)) == {}
