#!/usr/bin/env python3
"""Reduces Clerk's published OpenAPI files to the shapes that the stand-in's answers are held against.

    tests/it/standin/shapes.py FOLDER

FOLDER holds the three files named in SPECS, as Clerk publishes them. The result goes to shapes.json beside this
script: JSON Schema 2020-12, facts only (types, names, what is required), no prose. It needs PyYAML; without it,
`python3 -m pip install pyyaml`, or the package python3-yaml of the system.

What is translated: `nullable` becomes a type or a branch "null"; a closed object inside `allOf` (which OpenAPI's tools
merge, and JSON Schema would contradict) becomes `unevaluatedProperties` around the whole.
"""

import json
import pathlib
import sys

try:
    import yaml
except ModuleNotFoundError:
    sys.exit("PyYAML is missing: python3 -m pip install pyyaml")

SPECS = {"bapi": "bapi-2026-05-12.yml", "fapi": "fapi-2026-05-12.yml", "webhooks": "webhooks-2025-04-15.yml"}

# The routes the stand-in offers, as the specifications spell them.
ROUTES = {
    "bapi": [
        "GET /users",
        "POST /users",
        "GET /users/count",
        "POST /users/ban",
        "POST /users/unban",
        "GET /users/{user_id}",
        "PATCH /users/{user_id}",
        "DELETE /users/{user_id}",
        "PATCH /users/{user_id}/metadata",
        "PUT /users/{user_id}/metadata",
        "POST /users/{user_id}/profile_image",
        "DELETE /users/{user_id}/profile_image",
        "POST /users/{user_id}/ban",
        "POST /users/{user_id}/unban",
        "POST /users/{user_id}/lock",
        "POST /users/{user_id}/unlock",
        "GET /sessions",
        "POST /sessions",
        "GET /sessions/{session_id}",
        "POST /sessions/{session_id}/revoke",
        "POST /sessions/{session_id}/tokens",
        "GET /jwks",
        "GET /instance",
        "POST /testing_tokens",
        "POST /sign_in_tokens",
    ],
    "fapi": [
        "GET /.well-known/jwks.json",
        "GET /v1/environment",
        "POST /v1/dev_browser",
        "GET /v1/client",
        "PUT /v1/client",
        "POST /v1/client",
        "DELETE /v1/client",
        "GET /v1/client/handshake",
        "DELETE /v1/client/sessions",
        "GET /v1/client/sessions/{session_id}",
        "POST /v1/client/sessions/{session_id}/touch",
        "POST /v1/client/sessions/{session_id}/tokens",
        "POST /v1/client/sessions/{session_id}/end",
        "POST /v1/client/sessions/{session_id}/remove",
        "POST /v1/client/sign_ups",
        "GET /v1/client/sign_ups/{sign_up_id}",
        "PATCH /v1/client/sign_ups/{sign_up_id}",
        "POST /v1/client/sign_ups/{sign_up_id}/prepare_verification",
        "POST /v1/client/sign_ups/{sign_up_id}/attempt_verification",
        "POST /v1/client/sign_ins",
        "GET /v1/client/sign_ins/{sign_in_id}",
        "POST /v1/client/sign_ins/{sign_in_id}/prepare_first_factor",
        "POST /v1/client/sign_ins/{sign_in_id}/attempt_first_factor",
        "POST /v1/client/sign_ins/{sign_in_id}/reset_password",
        "GET /v1/me",
        "PATCH /v1/me",
        "DELETE /v1/me",
        "PATCH /v1/me/metadata",
        "POST /v1/me/profile_image",
        "DELETE /v1/me/profile_image",
        "POST /v1/me/change_password",
        "GET /v1/me/sessions",
        "GET /v1/me/sessions/active",
        "POST /v1/me/sessions/{session_id}/revoke",
        "POST /v1/me/email_addresses",
        "GET /v1/me/email_addresses/{email_id}",
        "DELETE /v1/me/email_addresses/{email_id}",
        "POST /v1/me/email_addresses/{email_id}/prepare_verification",
        "POST /v1/me/email_addresses/{email_id}/attempt_verification",
        "GET /v1/me/organization_memberships",
        "GET /v1/me/organization_invitations",
        "GET /v1/me/organization_suggestions",
    ],
}
WEBHOOKS = [
    "user.created",
    "user.updated",
    "user.deleted",
    "session.created",
    "session.ended",
    "session.removed",
    "session.revoked",
]

# Lists of what the stand-in never has: kept empty instead of dragging in the shape of everything they could hold.
ALWAYS_EMPTY = {
    "organization_memberships",
    "passkeys",
    "saml_accounts",
    "enterprise_accounts",
    "web3_wallets",
    "tasks",
}
PLAIN = ["required", "additionalProperties", "pattern", "minLength", "maxLength", "minItems", "minimum", "maximum"]


class Spec:
    """One file, and the definitions that were needed of all of them so far."""

    def __init__(self, name, path, definitions):
        self.name, self.definitions = name, definitions
        self.document = yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))

    def follow(self, node):
        while "$ref" in node:
            node = self.find(node["$ref"])
        return node

    def find(self, reference):
        node = self.document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part.replace("~1", "/").replace("~0", "~")]
        return node

    def refer(self, reference, open_ended):
        """A reference to a definition of ours; a variant of it leaves closed objects open, for use inside `allOf`."""
        name = f"{self.name}.{reference.split('/')[-1]}" + (".open" if open_ended else "")
        if name not in self.definitions:
            self.definitions[name] = None  # Recursion ends here.
            self.definitions[name] = self.reduce(self.find(reference), open_ended)
        return {"$ref": f"#/$defs/{name}"}

    def reduce(self, node, open_ended=False):
        if "$ref" in node:
            return self.refer(node["$ref"], open_ended)
        shape = {}
        if "type" in node:
            shape["type"] = node["type"]
        if "enum" in node:
            shape["enum"] = [value for value in node["enum"] if value is not None]
        for keyword in PLAIN:
            if keyword in node:
                shape[keyword] = node[keyword]
        if isinstance(shape.get("additionalProperties"), dict):
            shape["additionalProperties"] = self.reduce(node["additionalProperties"])
        if "properties" in node:
            shape["properties"] = {name: self.property(name, value) for name, value in node["properties"].items()}
        if "items" in node:
            shape["items"] = self.reduce(node["items"])
        for keyword in ("oneOf", "anyOf"):
            if keyword in node:
                shape[keyword] = [self.reduce(branch, open_ended) for branch in node[keyword]]
        if "allOf" in node:
            self.combine(shape, node["allOf"], open_ended)
        if open_ended and shape.get("additionalProperties") is False:
            del shape["additionalProperties"]
        return self.allow_null(shape) if is_nullable(node) else shape

    def combine(self, shape, branches, open_ended):
        # One branch that says everything needs no combination.
        if len(branches) == 1 and not set(shape) - {"type"}:
            shape.clear()
            shape.update(self.reduce(branches[0], open_ended))
            return
        shape["allOf"] = [self.reduce(branch, True) for branch in branches]
        closed = shape.pop("additionalProperties", None) is False or any(self.is_closed(branch) for branch in branches)
        if closed and not open_ended:
            shape["unevaluatedProperties"] = False

    def is_closed(self, node):
        node = self.follow(node)
        return node.get("additionalProperties") is False or any(map(self.is_closed, node.get("allOf", [])))

    def property(self, name, node):
        listed = self.follow(node)
        if name in ALWAYS_EMPTY and listed.get("type") == "array":
            return {"type": ["array", "null"] if is_nullable(listed) else "array", "maxItems": 0}
        return self.reduce(node)

    @staticmethod
    def allow_null(shape):
        # OpenAPI says "nullable" beside a composition and means: or null.
        if not shape.keys() & {"$ref", "oneOf", "anyOf", "allOf"} and isinstance(shape.get("type"), str):
            shape["type"] = [shape["type"], "null"]
            if "enum" in shape:
                shape["enum"].append(None)
            return shape
        return {"anyOf": [{"type": "null"}, shape]}


def is_nullable(node):
    return node.get("nullable") is True


def answers(spec, route):
    """What a route may answer: a shape by status; `true` where the specification says nothing of the body."""
    method, path = route.split(" ")
    shapes = {}
    for status, response in spec.document["paths"][path][method.lower()]["responses"].items():
        content = spec.follow(response).get("content", {}).get("application/json", {})
        shapes[str(status)] = spec.reduce(content["schema"]) if "schema" in content else True
    return shapes


def webhook(spec, kind):
    operation = spec.document["x-webhooks"][kind]["post"]
    return spec.reduce(operation["requestBody"]["content"]["application/json"]["schema"])


def table(rows):
    """A row a line, so that a difference names what it is of."""
    return "{\n" + ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items()) + "\n }"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder, definitions, shapes = pathlib.Path(sys.argv[1]), {}, {}
    specs = {name: Spec(name, folder / file, definitions) for name, file in SPECS.items()}
    for name, routes in ROUTES.items():
        for route in routes:
            shapes[f"{name} {route}"] = answers(specs[name], route)
    for kind in WEBHOOKS:
        shapes[f"webhooks {kind}"] = {"sent": webhook(specs["webhooks"], kind)}
    text = f'{{\n "answers": {table(shapes)},\n "$defs": {table(dict(sorted(definitions.items())))}\n}}\n'
    pathlib.Path(__file__).with_name("shapes.json").write_text(text)


if __name__ == "__main__":
    main()
