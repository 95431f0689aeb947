"""Tests of the training benchmark."""
