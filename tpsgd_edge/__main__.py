"""`python -m tpsgd_edge` is `tpsgd-edge`."""

from tpsgd_edge.cli import main

if __name__ == "__main__":
    main()
