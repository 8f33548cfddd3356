"""What past decisions say about thresholds and weights. Pure: numbers in, numbers and words out."""
