# SPDX-License-Identifier: Apache-2.0
"""What every door offers: a home as an object whose SQL is made fresh, and its operations."""
