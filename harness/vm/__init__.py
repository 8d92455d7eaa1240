# SPDX-License-Identifier: GPL-2.0-only
"""Runs QEMU: starts VMs, follows their consoles, talks SSH to their guests, and examines guests that hang.

Input are built cells, output are running guests.
"""
