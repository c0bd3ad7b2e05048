# SPDX-License-Identifier: Apache-2.0
"""The doors for machines: REST, WebSocket and the Model Context Protocol, over what `api` offers."""
