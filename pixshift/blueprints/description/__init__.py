"""The open description of the API: OpenAPI 3.1, made of the routes, the rules and the models that they use.

Nothing here takes part in a request. A library that describes an API by wrapping its routes parses and answers itself,
in its own form of errors; the schemas are pydantic's anyway, and pydantic writes the dialect of OpenAPI 3.1.
See docs/adr/0009-the-description-is-read-off.md.
"""
