"""Unsupervised environment design on MiniGrid mazes: curricula, and transfer to unseen mazes."""
