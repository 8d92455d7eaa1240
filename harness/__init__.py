# SPDX-License-Identifier: GPL-2.0-only
"""Builds stock and patched kernels, boots them under QEMU, tests and compares them."""

import os

# Nothing here is large enough for threads of NumPy's. OpenBLAS 0.3 starts one a core when it is imported, in every process
# of a suite, and where it cannot it raises SIGINT, so that the rig would seem interrupted.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
