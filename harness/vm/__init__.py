# SPDX-License-Identifier: GPL-2.0-only
"""Runs QEMU: starts VMs, follows their consoles, speaks SSH with their guests, and asks those that hang.

Built cells come in, and running guests go out.
"""
