"""Data and layers of the user, read, checked and turned into `Dataset` and `Graph`."""
