# SPDX-License-Identifier: GPL-2.0-only
"""Deals with the host: processes, files, deadlines, ELF and TOML files; has no part of the kernel test in it.

Takes paths and argument lists, and returns bytes, text and records.
"""
