"""python -m c1m.coordinator, and the c1m-coord command."""

from c1m.app.interrupts import end_quietly

end_quietly()

from .cli import main  # noqa: E402 - see above

if __name__ == "__main__":
    main()
