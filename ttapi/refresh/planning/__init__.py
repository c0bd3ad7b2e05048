# SPDX-License-Identifier: Apache-2.0
"""Decide what to fetch and what to rebuild: values in, steps with reasons out."""
