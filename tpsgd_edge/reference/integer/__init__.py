"""The integer formats a8 and a16: activation, softmax, local loss, layers of each kind."""
