"""What the user brings: data sets and layers, read, checked and turned into a `Dataset` and a `Graph`."""
