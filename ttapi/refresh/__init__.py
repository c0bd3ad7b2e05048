# SPDX-License-Identifier: Apache-2.0
"""Bringing datasets up to date: declarations, plan, run, verdicts.

Decide what to fetch and what to rebuild: values in, steps with reasons out.

Carry out a plan: fetch, load, rebuild, publish, once for everyone who asks.
"""
