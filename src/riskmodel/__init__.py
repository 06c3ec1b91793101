"""Return-to-poverty risk scores beside the official rules."""

__version__ = "0.1.0"
