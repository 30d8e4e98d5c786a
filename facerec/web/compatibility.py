"""Which changes of an OpenAPI document break clients that were written for it.

What one side writes, the other must be able to read: a client of the old document writes requests that the new
service reads, and the new service writes answers that this client reads. Both may gain fields, as long as requests
may leave them out.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]

_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_EXACT = ("pattern", "format", "contentMediaType", "uniqueItems", "additionalProperties", "allOf", "not")


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """What breaks clients of the document `old` at a service that has the document `new`, in words."""
    changes: list[str] = []
    for path, methods in old["paths"].items():
        for method, before in methods.items():
            where = f"{method.upper()} {path}"
            after = new["paths"].get(path, {}).get(method)
            if after is None:
                changes.append(f"{where}: is gone")
            else:
                changes += _Requests(old, new).operation(before, after, where)
                changes += _Answers(old, new).operation(before, after, where)
    return changes


class _Comparison:
    """Compares what one side writes with what the other reads.

    Args:
        old: the document of the clients.
        new: the document of the service.
    """

    written_is_old: bool

    def __init__(self, old: Schema, new: Schema) -> None:
        self._written, self._read = (old, new) if self.written_is_old else (new, old)

    def schemas(self, written: Schema, read: Schema, where: str) -> Iterator[str]:
        """Why a value of the schema `written` may not be one of `read`."""
        choices = [_alternatives(written, self._written), _alternatives(read, self._read)]
        for possible in choices[0]:
            faults = [list(self._plain(possible, other, where)) for other in choices[1]]
            if faults and all(faults):
                of_same_type = (
                    why
                    for why, other in zip(faults, choices[1], strict=True)
                    if other.get("type") == possible.get("type")
                )
                yield from next(of_same_type, faults[0])

    def _plain(self, written: Schema, read: Schema, where: str) -> Iterator[str]:
        types = written.get("type"), read.get("type")
        if types[1] is not None and types[0] != types[1] and types != ("integer", "number"):
            yield f"{where}: {self._now(types)}"
            return
        values = [_values(schema) for schema in (written, read)]
        if values[1] is not None and (values[0] is None or not all(value in values[1] for value in values[0])):
            yield f"{where}: {self._now(values)}"
        for key in (*_LOWER, *_UPPER, *_EXACT):
            if key in read and not _allowed(key, written.get(key), read[key]):
                yield f"{where}: {key} {self._now((written.get(key), read[key]))}"
        yield from self._items(written, read, where)
        yield from self._properties(written, read, where)

    def _items(self, written: Schema, read: Schema, where: str) -> Iterator[str]:
        firsts = written.get("prefixItems", []), read.get("prefixItems", [])
        if len(firsts[0]) != len(firsts[1]):
            yield f"{where}: number of items {self._now([len(items) for items in firsts])}"
        for index, pair in enumerate(zip(*firsts, strict=False)):
            yield from self.schemas(*pair, f"{where}[{index}]")
        if "items" in written and "items" in read:
            yield from self.schemas(written["items"], read["items"], f"{where}[]")

    def _properties(self, written: Schema, read: Schema, where: str) -> Iterator[str]:
        fields, known = written.get("properties", {}), read.get("properties", {})
        for name in (fields.keys() - known.keys()) if self.written_is_old else (known.keys() - fields.keys()):
            yield f"{where}.{name}: is gone"
        for name in sorted(fields.keys() & known.keys()):
            yield from self.schemas(fields[name], known[name], f"{where}.{name}")
        needed = set(read.get("required", ())) - set(written.get("required", ()))
        for name in sorted(needed if self.written_is_old else needed & fields.keys()):
            yield f"{where}.{name}: {'is required now' if self.written_is_old else 'may be missing now'}"

    def _now(self, written_and_read: Sequence[Any]) -> str:
        before, after = written_and_read if self.written_is_old else reversed(written_and_read)
        return f"was {before} and is {after} now"


class _Requests(_Comparison):
    written_is_old = True

    def operation(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        before, after = ({(p["in"], p["name"]): p for p in side.get("parameters", ())} for side in (old, new))
        for key in before.keys() | after.keys():
            name = f"{where}: parameter {key[1]}"
            if key not in after:
                yield f"{name}: is gone"
            elif after[key].get("required") and not before.get(key, {}).get("required"):
                yield f"{name}: is required now"
            elif key in before:
                yield from self.schemas(before[key]["schema"], after[key]["schema"], name)
        bodies = old.get("requestBody"), new.get("requestBody")
        if bodies[1] and bodies[1].get("required") and not (bodies[0] and bodies[0].get("required")):
            yield f"{where}: a body is required now"
        yield from _contents(self, bodies[0] or {}, bodies[1] or {}, f"{where}: body")


class _Answers(_Comparison):
    written_is_old = False

    def operation(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        for status, answer in old.get("responses", {}).items():
            if status.startswith("2"):
                if status in new["responses"]:
                    yield from _contents(self, answer, new["responses"][status], f"{where}: answer")
                else:
                    yield f"{where}: the answer {status} is gone"


def _contents(comparison: _Comparison, old: Schema, new: Schema, where: str) -> Iterator[str]:
    for kind, before in old.get("content", {}).items():
        after = new.get("content", {}).get(kind)
        if after is None:
            yield f"{where}: {kind} is gone"
        else:
            pair = before.get("schema", {}), after.get("schema", {})
            written, read = pair if comparison.written_is_old else pair[::-1]
            yield from comparison.schemas(written, read, where)


def _alternatives(schema: Schema, document: Schema) -> list[Schema]:
    """The schema without references and choices: one of these holds."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _alternatives(document["components"]["schemas"][name], document)
    choices = schema.get("anyOf") or schema.get("oneOf")
    return [plain for choice in choices for plain in _alternatives(choice, document)] if choices else [schema]


def _values(schema: Schema) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _allowed(key: str, written: Any, read: Any) -> bool:
    if key in _EXACT:
        return bool(written == read)
    return written is not None and bool(written >= read if key in _LOWER else written <= read)
