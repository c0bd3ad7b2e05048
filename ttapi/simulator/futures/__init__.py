# SPDX-License-Identifier: Apache-2.0
"""Futures, their options, and cryptocurrencies of the vendor market; they follow its own prices."""
