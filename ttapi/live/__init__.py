# SPDX-License-Identifier: Apache-2.0
"""Streams kept up and recorded: feed, journal, recorder."""
