# SPDX-License-Identifier: GPL-2.0-only
"""Judges: compares samples, finds leaks and causes, and says what each variant deserves to be called.

Records come in, and verdicts go out; nothing here touches a file, a clock or a process.
"""
