# libzcmig: the layers, bottom up, behind the public headers.
