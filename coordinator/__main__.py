"""python -m c1m.coordinator"""

from .cli import main

if __name__ == "__main__":
    main()
