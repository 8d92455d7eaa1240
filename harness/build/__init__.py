# SPDX-License-Identifier: GPL-2.0-only
"""Turns a kernel source and a series into what boots: configuration, kernel, test module and initramfs.

A selection comes in, and built cells go out; everything on the way is cached by what went into it.
"""
