# SPDX-License-Identifier: Apache-2.0
"""The SQL layer as objects: model files, their graph, their build and checks, and the builders."""
