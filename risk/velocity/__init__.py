"""Velocities: what customers, devices, terminals … did lately, counted and read in one round trip to Valkey."""
