"""What goes on behind the till: unresolved payments, late captures, partitions and the gauges of what is open."""
