"""The integer formats a8 and a16: activation, softmax, local loss, dense layer."""
