"""``make bench``: how fast the product is beside the bare database work, on its own servers, in one run.

Every figure that has a baseline is measured in turns with it, so that a busy machine slows both; read the ratios, not
the rates. Servers are durable (fsync on) and listen on the loopback interface or a socket only.
"""
