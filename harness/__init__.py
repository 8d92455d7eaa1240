# SPDX-License-Identifier: GPL-2.0-only
"""Builds stock and patched kernels, boots them under QEMU, tests and compares them."""
