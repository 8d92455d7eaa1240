# SPDX-License-Identifier: GPL-2.0-only
"""Leads a run through its life: begun, resumed, concluded with a report, kept in the history.

A plan comes in, and a folder in results/ with its outcome goes out.
"""
