# SPDX-License-Identifier: GPL-2.0-only
"""A run's results as JUnit XML, for CI services: a suite for each cell, with the findings in words.

pytest's own file knows one suite, calls each test by its Python function, and has tracebacks where a kernel's words belong.
The elements and attributes here are those of junit-10.xsd of Jenkins' xunit plugin, which other readers of JUnit know as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from harness.model import trouble
from harness.model.matrix import variant_order
from harness.model.records import Finding, Provenance, Result
from harness.model.summary import Summary
from harness.report import cases, failed_build, phrases
from harness.stats.causes import Cause, causes

_LINE = 300
"""characters of a message: services show it in one line"""
_FRAMES = 8
"""functions of a call trace"""
_TAGS = {"failed": "failures", "error": "errors", "skipped": "skipped", "xfailed": "skipped", "dismissed": "skipped"}
"""count of a suite by outcome; a known bug fails nothing, and JUnit has no word of its own for it"""
_NOT_XML = re.compile("[^\t\n\u0020-\u007e\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(provenance: Provenance, results: Sequence[Result], findings: Sequence[Finding]) -> str:
    """Return the file. Its suites are named ``machine/variant/profile`` and its cases ``test [clock, boot N]``."""
    root = Element("testsuites", name=_xml(f"kernel-patch-rig: Linux {provenance.version}"))
    ordered = sorted(results, key=lambda one: (one.machine, one.profile, variant_order(one.variant)))
    for cell, members in groupby(ordered, key=cases.cell):
        suite = SubElement(root, "testsuite", name=_xml(cell))
        told: dict[str, str] = {}
        made = [_case(suite, one, [f for f in findings if cases.place(f) == cases.place(one)], told) for one in members]
        counts = {"tests": len(made), **{count: _number(made, count) for count in dict.fromkeys(_TAGS.values())}}
        suite.attrib.update({name: str(count) for name, count in counts.items()})
        suite.set("time", f"{sum(one.seconds for one in made):.3f}")
        suite.set("timestamp", _xml(provenance.started))
    return _written(root)


def of_failed(summary: Summary) -> str:
    """Return the file of a build that failed: a case for each cell, which is an error, or was skipped because another is."""
    root = Element("testsuites", name=_xml(f"kernel-patch-rig: Linux {summary.kernel.release}"))
    for cell in summary.cells:
        suite = SubElement(root, "testsuite", name=_xml(cell.name), tests="1", failures="0")
        case = SubElement(suite, "testcase", classname=_xml(cell.name), name=failed_build.CASE, time="0.000")
        if why := failed_build.left_out(summary, cell):
            SubElement(case, "skipped", type="skipped", message=_message(why))
        else:
            told = next(failure for failure in summary.failures if failed_build.concerns(failure, cell))
            error = SubElement(case, "error", type=summary.status.word, message=_message(told.reason))
            error.text = _xml("\n\n".join((told.reason, told.excerpt)))
        suite.attrib.update(errors="0" if why else "1", skipped="1" if why else "0", time="0.000")
        suite.set("timestamp", _xml(summary.times.started))
    return _written(root)


def _written(root: Element) -> str:
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.attrib[name]) for suite in root)))
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _case(suite: Element, result: Result, findings: Iterable[Finding], told: dict[str, str]) -> Result:
    """Add a case to a suite and return its result; `told` has the cases that have the details of a cause already."""
    name = cases.name(result)
    case = SubElement(suite, "testcase", classname=suite.attrib["name"], name=_xml(name), time=f"{result.seconds:.3f}")
    if result.outcome == "xfailed":
        SubElement(case, "skipped", type="known bug", message=_message(f"known bug: {result.reason}"))
    elif result.outcome == "dismissed":
        SubElement(case, "skipped", type="dismissed", message=_message(f"dismissed: {result.reason}"))
    elif result.outcome == "skipped":
        SubElement(case, "skipped", type="skipped", message=_message(result.reason))
    elif result.outcome == "error":
        SubElement(case, "error", type="the rig failed", message=_message(result.reason))
    elif result.outcome == "failed":
        found = causes(one for one in findings if one.unexpected)
        failure = SubElement(case, "failure", type=_xml(found[0].first.trouble.kind if found else "failed"))
        failure.set("message", _message("; ".join(_title(cause) for cause in found) or result.reason))
        failure.text = _xml("\n\n".join(_details(cause, name, told) for cause in found)) or None
    return result


def _title(of: Cause) -> str:
    return f"{of.first.trouble.kind}: {of.first.trouble.title}"


def _details(of: Cause, name: str, told: dict[str, str]) -> str:
    """Return what is known of a cause. The same one again is only referred to, so that a hundred of them can be read."""
    where = told.setdefault(of.key, name)
    if where != name:
        return f"{_cut(_title(of))}\nas in {where}"
    found = of.first.trouble
    log = f"{of.first.log}, lines {found.first} to {found.last}" if of.first.log else ""
    frames = [f"  {trouble.framed(frame)}" for frame in found.frames[:_FRAMES]]
    return "\n".join(_cut(line) for line in (_title(of), phrases.blamed(found), log, *frames) if line)


def _number(results: Iterable[Result], count: str) -> int:
    return sum(_TAGS.get(one.outcome) == count for one in results)


def _message(reason: str) -> str:
    return _xml(_cut(reason))


def _cut(line: str) -> str:
    return line if len(line) <= _LINE else f"{line[: _LINE - 3]}..."


def _xml(text: str) -> str:
    """Return text without the characters that XML does not have."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
