"""c1m-target: accepts, echoes and counts connections."""
