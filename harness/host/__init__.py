# SPDX-License-Identifier: GPL-2.0-only
"""Talks to the host: processes, files, deadlines, ELF and TOML files; knows nothing of kernels.

Takes paths and argument lists, and gives back bytes, text and records.
"""
