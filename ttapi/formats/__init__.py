# SPDX-License-Identifier: Apache-2.0
"""What rows look like to people and programs: Arrow in, text or bytes out."""
