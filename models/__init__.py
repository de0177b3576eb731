"""Readings in, scores 0..1 with a reason out: detectors, the slow lane that runs them, training and artifacts."""
