# SPDX-License-Identifier: GPL-2.0-only
"""References of machine code that have no relocation, or whose relocation needs a correction.

An assembler resolves a call within its section itself, so that the distance to the callee is part of the code.
The encodings are those of the x86_64 and AArch64 ELF psABIs; code of other machines is not changed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_X86_64, _AARCH64 = 62, 183
"""EM_* of the ELF header"""
_RELATIVE = (2, 4)
"""R_X86_64_PC32 and PLT32: relative to their four bytes, while the processor counts from the end of the instruction"""
_CALL, _JUMP, _TWO_BYTES, _JUMP_IF = 0xE8, 0xE9, 0x0F, 0x80
_IMMEDIATE_4, _IMMEDIATE_1, _TEST_1, _TEST_4 = (0x69, 0x81, 0xC7), (0x6B, 0x80, 0x83, 0xC0, 0xC1, 0xC6), 0xF6, 0xF7
"""opcodes whose memory operand is followed by an immediate operand of 4 or 1 bytes"""
_SHORT = 0x66
"""the prefix that shortens an immediate operand from four bytes to two"""
_BRANCH, _BRANCHES, _DISTANCE = 0x7C000000, 0x14000000, 0x03FFFFFF
"""AArch64's B and BL: mask and value of the opcode, and mask of the distance in instructions"""


def branches(machine: int, code: Array, starts: Array, taken: Array) -> tuple[Array, Array]:
    """Return the offsets in a section `code` of calls and jumps to one of `starts`, and their targets.

    The distances in `code` are set to 0. Places in `taken`, the offsets of relocations, are left out.
    """
    if machine == _X86_64:
        return _x86_branches(code, starts, taken)
    if machine == _AARCH64:
        words = code[: len(code) // 4 * 4].view("<u4")
        at = np.flatnonzero((words & _BRANCH) == _BRANCHES)
        distance = ((words[at] & _DISTANCE) << 6).view(np.int32) >> 6
        targets = at * 4 + distance.astype(np.int64) * 4
        known = np.isin(targets, starts) & ~np.isin(at * 4, taken)
        words[at[known]] &= ~np.uint32(_DISTANCE)
        return at[known] * 4, targets[known]
    return np.zeros(0, np.int64), np.zeros(0, np.int64)


def _x86_branches(code: Array, starts: Array, taken: Array) -> tuple[Array, Array]:
    plain = np.flatnonzero((code == _CALL) | (code == _JUMP)) + 1
    two = np.flatnonzero((code[:-1] == _TWO_BYTES) & ((code[1:] & 0xF0) == _JUMP_IF)) + 2
    fields = np.sort(np.concatenate((plain, two)))
    fields = fields[fields + 4 <= len(code)]
    bytes_ = code[fields[:, None] + np.arange(4)].astype(np.int64)
    distance = (bytes_ << (np.arange(4) * 8)).sum(axis=1).astype(np.uint32).view(np.int32)
    targets = fields + 4 + distance.astype(np.int64)
    known = np.isin(targets, starts) & ~np.isin(fields, taken)
    code[fields[known][:, None] + np.arange(4)] = 0
    return fields[known], targets[known]


def beyond(machine: int, code: Array, offsets: Array, types: Array) -> Array:
    """Return the correction of the addends of relocations in code: with it they give the place that is referred to."""
    if machine != _X86_64 or not len(offsets):
        return np.zeros(len(offsets), np.int64)
    modrm, opcode, prefix = (code[np.maximum(offsets - back, 0)] for back in (1, 2, 3))
    in_memory = (modrm & 0xC7) == 5
    tests = (modrm & 0x38) <= 8
    four = np.isin(opcode, _IMMEDIATE_4) | ((opcode == _TEST_4) & tests)
    one = np.isin(opcode, _IMMEDIATE_1) | ((opcode == _TEST_1) & tests)
    immediate = np.where(four, np.where(prefix == _SHORT, 2, 4), np.where(one, 1, 0))
    return np.where(np.isin(types, _RELATIVE), 4 + np.where(in_memory, immediate, 0), 0)
