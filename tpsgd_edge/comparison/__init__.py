"""One network, trained in floating point by several rules: what is gained and lost by each.

Only the processes that train load torch.
"""
