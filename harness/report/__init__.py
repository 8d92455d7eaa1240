# SPDX-License-Identifier: GPL-2.0-only
"""Turns a run's records into pages and tables; understands nothing, only shows."""

from harness.report.page import html
from harness.report.terminal import comparison, summary

__all__ = ["comparison", "html", "summary"]
