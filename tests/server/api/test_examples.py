"""The examples of the OpenAPI document: each operation has one, which fits its schema and is what the hub answers."""

import json
import re

import pytest
from api_examples import ExampleShop
from jsonschema import Draft202012Validator

from server.api.examples import EXAMPLES

JSON = "application/json"
OPERATIONS = json.loads(EXAMPLES.read_text())


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """The document and, by operation, the request and the answer of a hub with the shop of the examples."""
    shop = ExampleShop(tmp_path_factory.mktemp("examples"))
    found = {request.operation: (request, shop.answer(request)) for request in shop.requests()}
    document = shop.app.test_client().get("/openapi.json").json
    yield document, found
    shop.store.close()


def described(document, operation):
    method, _, address = operation.partition(" ")
    return document["paths"][address][method.lower()]


def faults(document, schema, value):
    """What a value has that a schema of the document does not allow."""
    whole = {**schema, "components": document["components"]}
    return [error.message for error in Draft202012Validator(whole).iter_errors(value)]


def steady(answer):
    """An answer without hashes and the version of the software, which a change of anything changes."""
    if isinstance(answer, dict):
        return {name: "version" if name == "version" else steady(value) for name, value in answer.items()}
    if isinstance(answer, list):
        return [steady(value) for value in answer]
    return "hash" if isinstance(answer, str) and re.fullmatch("[0-9a-f]{64}", answer) else answer


def test_each_operation_has_an_example_and_a_request(answers):
    document, found = answers
    operations = {f"{method.upper()} {address}" for address, of in document["paths"].items() for method in of}
    assert OPERATIONS.keys() == operations
    assert found.keys() == operations


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_hub_answers_the_request_so(answers, operation):
    """After a change of an answer: `.venv/bin/python tests/support/api_examples.py` writes the examples anew."""
    document, found = answers
    request, answer = found[operation]
    assert answer.status_code == 200
    assert answer.content_type.partition(";")[0] in described(document, operation)["responses"]["200"]["content"]
    example = OPERATIONS[operation]
    assert (example["path"], example["body"]) == (request.path, request.body)
    assert steady(example["answer"]) == steady(answer.json if answer.is_json else None)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_examples_of_the_document_fit_their_schemas(answers, operation):
    document, _ = answers
    of, example = described(document, operation), OPERATIONS[operation]
    contents = [of["requestBody"]["content"][JSON]] if example["body"] is not None else []
    contents += [of["responses"]["200"]["content"][JSON]] if example["answer"] is not None else []
    expected = [value for value in (example["body"], example["answer"]) if value is not None]
    assert [content["example"] for content in contents] == expected
    for content in contents:
        assert faults(document, content["schema"], content["example"]) == []
    for parameter in of.get("parameters", ()):
        assert parameter["in"] != "path" or "example" in parameter, parameter
        if "example" in parameter:
            assert faults(document, parameter["schema"], parameter["example"]) == []


def test_an_answer_with_a_wrong_type_or_without_a_field_does_not_fit(answers):
    document, _ = answers
    content = described(document, "GET /api/v1/value")["responses"]["200"]["content"][JSON]
    wrong = {**content["example"], "pos": "39"}
    del wrong["totals"]
    assert sorted(faults(document, content["schema"], wrong)) == [
        "'39' is not of type 'integer'", "'totals' is a required property",
    ]  # fmt: skip
