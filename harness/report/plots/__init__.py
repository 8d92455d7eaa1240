# SPDX-License-Identifier: GPL-2.0-only
"""Draws a report's figures, one module for each kind."""
