# SPDX-License-Identifier: Apache-2.0
"""Bringing datasets up to date: declarations, plan, run, verdicts."""
