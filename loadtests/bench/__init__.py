"""`make bench`: yardstick, gateway and baseline side by side, in CPU time per completed payment of every process."""
