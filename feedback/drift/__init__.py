"""What changed with a new release, by how much, and why. Pure: sums go in, findings come out."""
