"""c1m-coord: plans a run, drives the fleet, reconciles what was counted, writes the summary."""
