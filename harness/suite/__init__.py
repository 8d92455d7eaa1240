# SPDX-License-Identifier: GPL-2.0-only
"""Runs the test module in booted cells, as pytest items, and extracts records from what module and guest print.

A plan comes in, and records go out, appended to the folder of a run.
"""
