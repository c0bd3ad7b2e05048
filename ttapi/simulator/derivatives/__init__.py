# SPDX-License-Identifier: Apache-2.0
"""The options of the vendor market: what is listed, and what it is worth.

Futures, their options, and cryptocurrencies of the vendor market; they follow its own prices.
"""
