# recv: unit tests of this layer
