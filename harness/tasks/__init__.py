# SPDX-License-Identifier: GPL-2.0-only
"""The Invoke tasks: they read options, call `harness/commands/` and print."""
