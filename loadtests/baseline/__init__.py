"""The same payment written plainly: what a competent team would write first, one statement at a time.

It gives the guarantees that the gateway gives for one WeChat bar code payment, with good libraries and sensible pools
but without batching: the measure of what the gateway's own design is worth.  It is no straw man: uvloop, httptools,
prepared statements, the fastest answers FastAPI offers, keys cached in process, and the channel's protocol shared with
the gateway.  It signs one by one with OpenSSL, as everybody does.  Only what runs on the way of a payment is here;
finding out later what became of an unresolved one costs both the same and is left out.
"""
