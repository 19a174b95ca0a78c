"""Certificates, roles, identities and credentials of control connections.

Who may call what on a node belongs to c1m/node/authorization.
"""
