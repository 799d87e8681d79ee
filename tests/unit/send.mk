# send: unit tests of this layer
