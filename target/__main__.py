"""python -m c1m.target"""

from .cli import main

if __name__ == "__main__":
    main()
