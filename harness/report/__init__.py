# SPDX-License-Identifier: GPL-2.0-only
"""Turns a run's records into pages, mails and tables; understands nothing, only shows."""
