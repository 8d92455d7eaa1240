# SPDX-License-Identifier: GPL-2.0-only
"""Holds the values that all folders share: machines, variants, cells, the catalog of tests, records, findings.

Values come in from TOML files, options and JSON lines; every folder above takes them from here.
"""
