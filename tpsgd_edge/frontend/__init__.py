"""What the user brings: data and layers, read, checked and turned into `Dataset` and `Graph`."""
