"""What the kernel says of itself: parsers (pure) and the thin readers beside them."""
