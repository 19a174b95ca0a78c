"""Protobuf messages to values and back, with bounds for every field.

Protobuf objects do not travel beyond this package, fleet and the gRPC services.
"""
