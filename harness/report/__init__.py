# SPDX-License-Identifier: GPL-2.0-only
"""Turns a run's records and verdicts into pages, mails and tables; judges nothing.

The contents of a report come in, and HTML, Markdown, tables for the terminal and the formats of other tools go out.
"""
