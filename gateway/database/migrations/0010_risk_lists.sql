SELECT 1; -- its author writes this
