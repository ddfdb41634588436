"""The audit: joins the gateway's books, the simulators' and the load clients', and tells where they disagree."""
