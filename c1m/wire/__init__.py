"""Converts protobuf messages to values and back, with bounds for every field.

Protobuf objects are used only in this package, in fleet and in the gRPC services.
"""
