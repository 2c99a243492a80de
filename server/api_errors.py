"""API errors: what came, what was expected and what to do, in one struct."""

from typing import Any

import msgspec
from flask import Response

from station.core.protocol import ErrorAnswer, ErrorBody


class ApiError(Exception):
    """An error answer: raised where the error is detected, written as a response by the application's error handler."""

    def __init__(self, status: int, came: str, expected: str, do: str, **more: Any) -> None:
        super().__init__(f"{came}; expected {expected}. {do}")
        self.status = status
        self.retry_after_s: int | None = more.pop("retry_after_s", None)
        self.trouble = ErrorBody(came, expected, do, **more)


def answer_error(error: ApiError) -> Response:
    """The response of an error."""
    response = json_answer(ErrorAnswer(error.trouble), error.status)
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def json_answer(body: Any, status: int = 200) -> Response:
    """A JSON response, encoded by msgspec."""
    return Response(msgspec.json.encode(body), status, mimetype="application/json")
