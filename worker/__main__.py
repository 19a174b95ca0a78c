"""python -m c1m.worker"""

from .cli import main

if __name__ == "__main__":
    main()
