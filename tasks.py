# SPDX-License-Identifier: GPL-2.0-only
"""The Invoke tasks, which are in harness/tasks/, and how the command line calls them."""

from __future__ import annotations

from harness.commands import uncaught

uncaught.install()  # before the other imports, which can fail as well

from collections.abc import Mapping

from invoke.collection import Collection
from invoke.main import program
from invoke.tasks import Task

from harness.commands import arguments
from harness.tasks import clusters, guests, logs, nights, project, results, series, testing

LEFT_OUT: Mapping[str, str] = {
    "why": "latest",
    "coverage": "latest",
    "report": "latest",
    "export": "latest",
    "lava": "latest",
    "dismiss": "",
    "bisect": "",
    "series.check": "",
    "series.each": "",
}
"""tasks that may be called without their word, and the word that they have then"""
_grouped = {"series": series.OF_SERIES, "cluster": clusters.OF_CLUSTERS}
_groups = [Collection(name) for name in _grouped]
for group, tasks in zip(_groups, _grouped.values(), strict=True):
    for name, task in tasks.items():
        group.add_task(task, name)
_every = [each for subject in (testing, results, series, guests, project, nights, logs) for each in vars(subject).values()]
_alone = [each for each in _every if isinstance(each, Task) and each not in series.OF_SERIES.values()]
namespace = Collection(*dict.fromkeys(_alone), *_groups)
arguments.complete(program, LEFT_OUT, {name: namespace[name] for name in namespace.task_names})
