# SPDX-License-Identifier: GPL-2.0-only
"""Turns a kernel source and a series into what boots: configuration, kernel, test module and initramfs.

Input is a selection, output are built cells; every step is cached under a digest of its inputs.
"""
