# SPDX-License-Identifier: GPL-2.0-only
"""The suite: pytest items that load the test module in booted cells."""
