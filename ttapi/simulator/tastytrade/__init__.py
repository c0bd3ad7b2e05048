# SPDX-License-Identifier: Apache-2.0
"""The REST interface of a broker that resembles tastytrade, served from the invented market."""
