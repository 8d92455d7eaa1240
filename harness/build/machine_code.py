# SPDX-License-Identifier: GPL-2.0-only
"""References of machine code that have no relocation, or whose relocation needs a correction.

An assembler resolves a call within its section itself, so that the distance to the callee is part of the code.
The encodings are those of the ELF ABIs of x86_64, AArch64 and Arm; code of other machines is not changed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_X86_64, _AARCH64, _ARM = 62, 183, 40
"""EM_* of the ELF header"""
_RELATIVE = (2, 4)
"""R_X86_64_PC32 and PLT32: relative to their four bytes, while the processor counts from the end of the instruction"""
_CALL, _JUMP, _TWO_BYTES, _JUMP_IF = 0xE8, 0xE9, 0x0F, 0x80
_IMMEDIATE_4, _IMMEDIATE_1, _TEST_1, _TEST_4 = (0x69, 0x81, 0xC7), (0x6B, 0x80, 0x83, 0xC0, 0xC1, 0xC6), 0xF6, 0xF7
"""opcodes whose memory operand is followed by an immediate operand of 4 or 1 bytes"""
_SHORT = 0x66
"""the prefix that shortens an immediate operand from four bytes to two"""
_BRANCH, _BRANCHES = 0x7C000000, 0x14000000
"""AArch64's B and BL: mask and value of the opcode"""
_ARM_BRANCH, _ARM_BRANCHES, _ARM_DISTANCE, _ARM_ALWAYS = 0x0E000000, 0x0A000000, 0x00FFFFFF, 0xF0000000
"""the same of Arm's, on any condition but the one that makes it another instruction; a distance begins two instructions later"""
_ARM_WORDS, _ARM_31, _ARM_CALLS, _ARM_HALVES = (2, 3), (42,), (1, 28, 29), (43, 44, 45, 46)
"""R_ARM_ABS32 and REL32; PREL31; PC24, CALL and JUMP24; MOVW and MOVT: the forms in which an addend is in the code"""
_ARM_IMMEDIATE = 0x000F0FFF
"""of MOVW and MOVT: four bits, and twelve"""


def branches(machine: int, code: Array, starts: Array, taken: Array) -> tuple[Array, Array]:
    """Return the offsets in a section `code` of calls and jumps to one of `starts`, and their targets.

    The distances in `code` are set to 0. Places in `taken`, the offsets of relocations, are left out.
    """
    if machine == _X86_64:
        return _x86_branches(code, starts, taken)
    words = code[: len(code) // 4 * 4].view("<u4")
    if machine == _AARCH64:
        at = np.flatnonzero((words & _BRANCH) == _BRANCHES)
        return _word_branches(words, at, 26, starts, taken)
    if machine == _ARM:
        at = np.flatnonzero(((words & _ARM_BRANCH) == _ARM_BRANCHES) & ((words & _ARM_ALWAYS) != _ARM_ALWAYS))
        return _word_branches(words, at, 24, starts, taken, ahead=8)
    return np.zeros(0, np.int64), np.zeros(0, np.int64)


def _word_branches(words: Array, at: Array, bits: int, starts: Array, taken: Array, ahead: int = 0) -> tuple[Array, Array]:
    """Return the same for instructions of a word at `at`, whose last `bits` bits are a distance in words from `ahead` bytes on."""
    distance = _signed(words[at], bits)
    targets = at * 4 + ahead + distance * 4
    known = np.isin(targets, starts) & ~np.isin(at * 4, taken)
    words[at[known]] &= ~np.uint32((1 << bits) - 1)
    return at[known] * 4, targets[known]


def _signed(words: Array, bits: int) -> Array:
    """Return the last `bits` bits of each word as a number with a sign."""
    return ((words << np.uint32(32 - bits)).view(np.int32) >> (32 - bits)).astype(np.int64)


def implicit(machine: int, data: Array, offsets: Array, types: Array) -> Array:
    """Return the addends that are in `data` itself, for relocations whose table has none, and set them to 0 there."""
    addends = np.zeros(len(offsets), np.int64)
    if machine != _ARM:
        return addends
    for kinds, mask in (
        (_ARM_WORDS, 0xFFFFFFFF),
        (_ARM_31, 0x7FFFFFFF),
        (_ARM_CALLS, _ARM_DISTANCE),
        (_ARM_HALVES, _ARM_IMMEDIATE),
    ):
        chosen = np.isin(types, kinds) & (offsets + 4 <= len(data))
        places = offsets[chosen][:, None] + np.arange(4)
        words = np.ascontiguousarray(data[places]).view("<u4").reshape(-1)
        if kinds is _ARM_HALVES:
            found = _signed((words >> 4 & 0xF000) | (words & 0xFFF), 16)
        else:
            found = _signed(words, mask.bit_length()) * (4 if kinds is _ARM_CALLS else 1)
        addends[chosen] = found
        data[places] = (words & ~np.uint32(mask)).astype("<u4").view(np.uint8).reshape(-1, 4)
    return addends


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
