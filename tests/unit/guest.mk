# guest: unit tests of this layer
