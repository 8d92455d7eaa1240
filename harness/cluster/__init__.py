# SPDX-License-Identifier: GPL-2.0-only
"""Sessions and builds on many machines, by Dask: the scheduler, the workers, what travels to them, and what comes back.

A module that imports `distributed` is itself imported only when a cluster is asked for: the library is an extra.
"""
