# SPDX-License-Identifier: Apache-2.0
"""Every error's exit code and message: what happened, and what would have worked."""

from __future__ import annotations

import pytest

from ttapi import errors

CODES = {
    "CommitUnknownError": 1, "LicenceError": 1, "NotLoadedError": 1, "LockedError": 5, "QueryError": 1, "InterruptedQueryError": 130, "QueryTimeoutError": 1, "QueryTooBigError": 1, "BusyError": 1, "SourceError": 1, "StreamLostError": 1,
    "TtapiError": 1, "UsageError": 2, "ModelError": 2, "UnknownNameError": 2, "GenerationError": 2, "ReadOnlyHomeError": 2, "StoreError": 1, "MigrationError": 1, "DiskFullError": 1,
    "SourceDownError": 3,
    "StreamRefusedError": 3, "ResponseError": 1, "CredentialError": 3, "StaleError": 4, "BudgetError": 4,
}  # fmt: skip


def every_error():
    return {
        name: one
        for name, one in vars(errors).items()
        if isinstance(one, type) and issubclass(one, errors.TtapiError)
    }


def test_every_error_leaves_with_its_code():
    assert {name: one.exit_code for name, one in every_error().items()} == CODES


@pytest.mark.parametrize("hint", [None, "do that"])
def test_a_message_says_what_would_have_worked(hint):
    assert str(errors.UsageError("wrong", hint=hint)) == ("wrong (do that)" if hint else "wrong")


def test_errors_carry_what_they_are_about():
    model = errors.ModelError("no such", file="views/v.sql", line=3)
    assert (str(model), model.reason, model.file, model.line) == ("views/v.sql:3: no such", "no such", "views/v.sql", 3)  # fmt: skip
    answer = errors.ResponseError("/x", None, "broke off")
    assert (str(answer), answer.is_unknown) == ("/x: no answer: broke off", False)
    answer = errors.ResponseError("/x", 404, "not known", is_unknown=True)
    assert (str(answer), answer.status, answer.is_unknown) == ("/x: status 404: not known", 404, True)  # fmt: skip
    assert errors.StoreError("bad", kind="damaged").kind == "damaged"
