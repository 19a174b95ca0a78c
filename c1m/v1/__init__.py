"""Generated from ``proto/c1m/v1`` by ``make proto``; do not edit."""
