# SPDX-License-Identifier: Apache-2.0
"""Values of every type of the engine, as its own texts, both ends where a type has them."""

from __future__ import annotations

VALUES = {
    "boolean": ["true"],
    "tinyint": ["-128", "127"],
    "smallint": ["-32768"],
    "integer": ["-2147483648"],
    "bigint": ["9223372036854775807"],
    "hugeint": ["-170141183460469231731687303715884105728", "170141183460469231731687303715884105727", "5"],
    "utinyint": ["255"],
    "usmallint": ["65535"],
    "uinteger": ["4294967295"],
    "ubigint": ["18446744073709551615"],
    "uhugeint": ["340282366920938463463374607431768211455"],
    "decimal(4,1)": ["-0.5"],
    "decimal(9,2)": ["1.10"],
    "decimal(18,6)": ["0.000001"],
    "decimal(38,10)": ["12345678901234567890123456.1234567891"],
    "float": ["0.1", "nan", "-inf", "1e20"],
    "double": ["0.1", "1e-7", "nan", "inf", "100"],
    "varchar": ["", "NULL", 'a,"b"\n', "日経", " x ", "null"],
    "blob": ["\\xAA\\x00"],
    "bit": ["0101"],
    "date": ["2024-06-14", "infinity", "0001-01-01", "290000-01-01"],
    "time": ["24:00:00", "09:30:00.5"],
    "timetz": ["12:00:00+05:30"],
    "timestamp": ["290000-01-01", "2021-03-01", "infinity", "2021-03-01 00:00:00.000001"],
    "timestamp_s": ["2021-03-01 09:30:00"],
    "timestamp_ms": ["2021-03-01 09:30:00.123"],
    "timestamp_ns": ["2024-01-01 00:00:00.123456789"],
    "timestamptz": ["2024-06-14 20:00:00+00", "-infinity"],
    "interval": ["1 year 2 days", "00:00:01", "3 days", "1000000000000 seconds"],
    "uuid": ["4ac7a9e9-607c-4c8a-84f3-843f0191e3fd"],
    "enum('x', 'y')": ["x"],
    "json": ['{"a": [1, null]}'],
    "integer[]": ["[1, NULL]", "[]"],
    "integer[2]": ["[1, 2]"],
    "hugeint[]": ["[-170141183460469231731687303715884105728]"],
    "interval[]": ["[1 day]"],
    "double[]": ["[nan, 1.5]"],
    "struct(a integer, b struct(c varchar))": ["{'a': 1, 'b': {'c': x}}"],
    "map(varchar, integer)": ["{k=1}"],
    "union(num integer, name varchar)": ["2"],
}  # fmt: skip
"""Texts of values by type, each both ends where a type has them."""
NUMBERS = {*list(VALUES)[1:17]}


def column_of(kind, values):
    """SQL of one column `v` that holds the values and a NULL."""
    listed = ", ".join(f"($${value}$$)" for value in values)
    return f"select v::{kind} as v from (values {listed}, (null)) t(v)"
