"""What a trained model is worth: bits per byte, text of its own, exact next bytes."""
