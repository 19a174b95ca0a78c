"""Certificates, roles, identities and credentials of control connections.

Which caller may do what on a node belongs to c1m/node/authorization.
"""
