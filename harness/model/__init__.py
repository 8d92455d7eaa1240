# SPDX-License-Identifier: GPL-2.0-only
"""Defines the values that all folders share: machines, variants, cells, the catalog of tests, records, findings.

They are read from TOML files, options and JSON lines; every folder above imports them from here.
"""
