# SPDX-License-Identifier: GPL-2.0-only
"""Turns a run's records into pages, mails and tables; understands nothing, only shows."""

from harness.report.content import Content
from harness.report.mail import mail
from harness.report.page import html
from harness.report.terminal import comparison, summary

__all__ = ["Content", "comparison", "html", "mail", "summary"]
