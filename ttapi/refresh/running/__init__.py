# SPDX-License-Identifier: Apache-2.0
"""Carry out a plan: fetch, load, rebuild, publish, once for everyone who asks."""
