"""What became of a campaign: payments, spend by funder and hour, new customers, refusals."""
