"""What corrections teach: from reviews to examples. Pure, but for ``selection`` and ``watermark``."""
