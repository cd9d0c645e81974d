"""TensorFlow Lite files, in and out."""
