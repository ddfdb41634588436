"""What N payments a second need: a simulation of one node, held against measurements, and the plan made of it."""
