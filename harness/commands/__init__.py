# SPDX-License-Identifier: GPL-2.0-only
"""Does what the tasks of the command line ask for: one module a task, which puts the other folders to work in order.

Options come in, and outcomes to be printed go out.
"""
