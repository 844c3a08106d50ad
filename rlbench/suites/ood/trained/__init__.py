"""Methods that train a network of their own; like any detector, they fit and score afterwards."""
